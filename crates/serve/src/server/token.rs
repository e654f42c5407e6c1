//! What an event of the loop is about, packed into the number that epoll(7) gives back.

/// Whom an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// The descriptor of signals.
    Signals,
    /// The socket on which services say how they are.
    Notify,
    /// The warden.
    Warden,
    /// Standard error has room again.
    StandardError,
    /// A listening socket of the console, or of a service in accept mode: its number in the table of sockets.
    Listener(u64),
    /// A session of the console.
    Session(u64),
    /// What a child says before it executes its program.
    Report(u64),
    /// The output of a service's process.
    Output(u64),
    /// The process that waits for a restart with the sockets.
    Handover,
}

const BITS: u32 = 56;

impl Token {
    pub(super) fn number(self) -> u64 {
        let (kind, number) = match self {
            Token::Signals => (0, 0),
            Token::Notify => (1, 0),
            Token::Warden => (2, 0),
            Token::StandardError => (3, 0),
            Token::Listener(number) => (4, number),
            Token::Session(number) => (5, number),
            Token::Report(number) => (6, number),
            Token::Output(number) => (7, number),
            Token::Handover => (8, 0),
        };
        // Numbers count from 0, one for each process or session, so that 56 bits are never used up.
        (kind << BITS) | (number & ((1 << BITS) - 1))
    }

    pub(super) fn of(number: u64) -> Option<Token> {
        let rest = number & ((1 << BITS) - 1);
        Some(match number >> BITS {
            0 => Token::Signals,
            1 => Token::Notify,
            2 => Token::Warden,
            3 => Token::StandardError,
            4 => Token::Listener(rest),
            5 => Token::Session(rest),
            6 => Token::Report(rest),
            7 => Token::Output(rest),
            8 => Token::Handover,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_from_its_number() {
        let all = [
            Token::Signals,
            Token::Notify,
            Token::Warden,
            Token::StandardError,
            Token::Listener(0),
            Token::Session((1 << BITS) - 1),
            Token::Report(7),
            Token::Output(7),
            Token::Handover,
        ];
        for token in all {
            assert_eq!(Token::of(token.number()), Some(token));
        }
    }
}
