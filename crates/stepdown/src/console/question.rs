//! The questions by their names, each from words to a reply.

use stepdown_conf::{Cause, Config, Finding, shown};

use super::{Reply, eval, get, locate, show};

/// The names of the questions.
pub const QUESTIONS: [&str; 5] = ["show", "showrecurse", "get", "eval", "locate"];

/// A question about a configuration.
#[derive(Clone, Copy, Debug)]
pub struct Question<'w> {
    name: &'static str,
    words: &'w [String],
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
        Ok(Question { name, words })
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
        let expression = match self.words.get(1).map(|text| (text, regex_lite::Regex::new(text))) {
            None => None,
            Some((_, Ok(expression))) => Some(expression),
            Some((text, Err(error))) => {
                let message = format!("`{}` is no regular expression: {error}", shown(text));
                return Err(Box::new(
                    Finding::error("bad-expression", Cause::Text, message)
                        .hint("put a backslash before a character that is meant as itself"),
                ));
            }
        };
        let wanted = |text: &str| expression.as_ref().is_none_or(|expression| expression.is_match(text));
        let found = locate(config, &self.words[0], wanted)?;
        Ok(Reply::located(config, &found, origin))
    }
}
