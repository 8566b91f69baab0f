//! Kinds of saved runs, by whose first bytes their files are told apart.

/// Kind of a saved run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Run of a descent.
    Descent,
    /// Run of a stochastic descent.
    Stochastic,
}

/// Number of bytes of a magic word.
pub(super) const WORD: usize = 16;

impl Kind {
    /// All kinds.
    const ALL: [Self; 2] = [Self::Descent, Self::Stochastic];

    /// Returns the first bytes of the files. Line ends of all systems show a transfer that took the file for a text.
    pub(super) fn magic(self) -> &'static [u8; WORD] {
        match self {
            Self::Descent => b"pullback run\r\n\x1a\n",
            Self::Stochastic => b"pullback sgd\r\n\x1a\n",
        }
    }

    /// Returns the version of the format. A change of what is stored takes the next number.
    pub(super) fn version(self) -> u32 {
        match self {
            Self::Descent => 2,
            Self::Stochastic => 1,
        }
    }

    /// Returns the name of the method whose runs these are.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Descent => "descent",
            Self::Stochastic => "stochastic descent",
        }
    }

    /// Returns the other kind of files that begin with these bytes, if there is one.
    pub(super) fn other(self, bytes: &[u8]) -> Option<Self> {
        let mut others = Self::ALL.into_iter().filter(|kind| *kind != self);
        others.find(|kind| bytes.starts_with(kind.magic()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_changed_byte_makes_no_other_kind() {
        for kind in Kind::ALL {
            for other in Kind::ALL.into_iter().filter(|other| *other != kind) {
                let pairs = kind.magic().iter().zip(other.magic());
                assert!(pairs.filter(|(a, b)| a != b).count() > 1, "{kind:?}");
            }
        }
    }
}
