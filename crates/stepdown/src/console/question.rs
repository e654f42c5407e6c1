//! The questions by their names, each from words to a reply.

use stepdown_conf::{Config, Finding};

use super::expression::Expression;
use super::{Reply, eval, get, locate, show};

/// The names of the questions.
pub const QUESTIONS: [&str; 5] = ["show", "showrecurse", "get", "eval", "locate"];

/// A question about a configuration.
#[derive(Clone, Copy, Debug)]
pub struct Question<'w> {
    name: &'static str,
    words: &'w [String],
    is_bounded: bool,
}

/// Words that are no question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misunderstood<'w> {
    /// There are none.
    Missing,
    /// The first is none of [`QUESTIONS`].
    Unknown(&'w str),
    /// `locate` takes a name, and a regular expression if any.
    Locate,
}

impl<'w> Question<'w> {
    /// The name of the question, and its words.
    ///
    /// # Errors
    /// Words that are no question.
    pub fn new(words: &'w [String]) -> Result<Question<'w>, Misunderstood<'w>> {
        let Some((first, words)) = words.split_first() else { return Err(Misunderstood::Missing) };
        let Some(name) = QUESTIONS.into_iter().find(|name| name == first) else {
            return Err(Misunderstood::Unknown(first));
        };
        if name == "locate" && !(1..=2).contains(&words.len()) {
            return Err(Misunderstood::Locate);
        }
        Ok(Question { name, words, is_bounded: false })
    }

    /// The same question, from somebody who must not keep others waiting: what `locate` may spend on its regular expression is
    /// limited, and beyond it the answer is that it is too expensive.
    #[must_use]
    pub fn bounded(self) -> Question<'w> {
        Question { is_bounded: true, ..self }
    }

    /// The answer; with `origin`, where each value is from and what it overrode.
    #[must_use]
    pub fn ask(&self, config: &Config, origin: bool) -> Reply {
        let words = self.words;
        let reply = match self.name {
            "show" => show(config, words).map(|found| Reply::found(config, found, false, origin)),
            "showrecurse" => show(config, words).map(|found| Reply::found(config, found, true, origin)),
            "get" => get(config, words).map(|answer| Reply::answered(config, &answer, origin)),
            "eval" => eval(config, words).map(|answer| Reply::answered(config, &answer, origin)),
            _ => self.located(config, origin),
        };
        reply.unwrap_or_else(|finding| Reply::refused(vec![*finding]))
    }

    fn located(&self, config: &Config, origin: bool) -> Result<Reply, Box<Finding>> {
        let expression = match self.words.get(1) {
            None => None,
            Some(text) => Some(Expression::new(text, self.is_bounded)?),
        };
        let wanted = |text: &str| expression.as_ref().is_none_or(|expression| expression.is_in(text));
        let found = locate(config, &self.words[0], wanted);
        // What was found is not all there is then, and what was not may be there.
        if let Some(finding) = expression.as_ref().and_then(Expression::too_expensive) {
            return Err(finding);
        }
        Ok(Reply::located(config, &found?, origin))
    }
}
