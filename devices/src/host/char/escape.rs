//! The escape key of a console on a terminal: Ctrl-A and a letter talk to Polyvisor instead of
//! the guest.

/// What Ctrl-A h prints; lines end as a raw terminal needs it.
pub const HELP: &str = "\r\n\
    Ctrl-A h       this help\r\n\
    Ctrl-A p       press the guest's power button (x86_64)\r\n\
    Ctrl-A x       quit Polyvisor; the guest is switched off\r\n\
    Ctrl-A a       send Ctrl-A to the guest (so does Ctrl-A Ctrl-A)\r\n";

const CTRL_A: u8 = 1;

/// A wish of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// End the machine.
    Quit,
    /// Press the machine's power button.
    PowerButton,
    /// Print [`HELP`].
    Help,
}

/// What one byte of input comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A byte for the guest.
    Guest(u8),
    /// A command for us.
    Command(Command),
    /// Nothing: the escape key itself, or an unknown letter after it.
    Nothing,
}

/// Finds the commands in a user's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EscapeFilter {
    escaped: bool,
}

impl EscapeFilter {
    /// A filter that has seen no escape key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one byte.
    pub fn feed(&mut self, byte: u8) -> Input {
        if !std::mem::take(&mut self.escaped) {
            if byte == CTRL_A {
                self.escaped = true;
                return Input::Nothing;
            }
            return Input::Guest(byte);
        }
        match byte {
            b'x' | b'X' => Input::Command(Command::Quit),
            b'p' | b'P' => Input::Command(Command::PowerButton),
            b'h' | b'H' | b'?' => Input::Command(Command::Help),
            b'a' | b'A' | CTRL_A => Input::Guest(CTRL_A),
            _ => Input::Nothing,
        }
    }

    /// Takes `input`, moves the guest's part to `guest`, and returns the commands in order.
    /// Nothing after [`Command::Quit`] is looked at.
    pub fn filter(&mut self, input: &[u8], guest: &mut Vec<u8>) -> Vec<Command> {
        let mut commands = Vec::new();
        for &byte in input {
            match self.feed(byte) {
                Input::Guest(byte) => guest.push(byte),
                Input::Command(command) => commands.push(command),
                Input::Nothing => {}
            }
            if commands.last() == Some(&Command::Quit) {
                break;
            }
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the pieces one after another.
    fn run(pieces: &[&[u8]]) -> (Vec<u8>, Vec<Command>) {
        let (mut filter, mut guest) = (EscapeFilter::new(), Vec::new());
        let commands = pieces.iter().flat_map(|p| filter.filter(p, &mut guest)).collect();
        (guest, commands)
    }

    #[test]
    fn input_passes() {
        let all: Vec<u8> = (0..=255).filter(|b| *b != CTRL_A).collect();
        assert_eq!(run(&[&all]), (all.clone(), vec![]));
    }

    #[test]
    fn commands_are_taken_out() {
        let expected = (b"abc".to_vec(), vec![Command::Help, Command::PowerButton, Command::Quit]);
        assert_eq!(run(&[b"ab\x01hc\x01p\x01x"]), expected);
    }

    #[test]
    fn the_state_lasts_from_read_to_read() {
        assert_eq!(run(&[b"a\x01", b"xz"]), (b"a".to_vec(), vec![Command::Quit]));
    }

    #[test]
    fn ctrl_a_can_be_sent() {
        assert_eq!(run(&[b"\x01a\x01\x01x"]), (b"\x01\x01x".to_vec(), vec![]));
    }

    #[test]
    fn unknown_letters_are_swallowed_with_the_escape() {
        assert_eq!(run(&[b"\x01qz\x01"]), (b"z".to_vec(), vec![]));
    }
}
