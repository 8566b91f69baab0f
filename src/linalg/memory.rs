//! What factorisations may take, asked before they take it.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// Demands below this are never held against what the system has: to ask would take longer than to serve them.
const SMALL: usize = 64 << 20;

/// Bytes that may be taken: a limit that was set, or what the system has available when it is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    limit: Option<usize>,
}

impl Budget {
    pub(crate) const UNLIMITED: Self = Self {
        limit: Some(usize::MAX),
    };

    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self { limit }
    }

    /// What is left of a limit once so many bytes are held; what the system has left is known to it.
    pub(crate) fn besides(self, held: usize) -> Self {
        Self {
            limit: self.limit.map(|limit| limit.saturating_sub(held)),
        }
    }

    /// Whether so many bytes may be taken.
    pub(crate) fn fits(self, bytes: usize) -> bool {
        self.shortage(bytes).is_none()
    }

    /// An error unless the `what` of a matrix with so many rows may take so many bytes.
    pub(crate) fn check(self, what: &'static str, rows: usize, bytes: usize) -> Result<()> {
        let error = |limit| Error::OutOfMemory {
            what,
            size: rows,
            needed: Some(bytes),
            limit: Some(limit),
        };
        self.shortage(bytes).map(error).map_or(Ok(()), Err)
    }

    /// The limit, if so many bytes are above it.
    fn shortage(self, bytes: usize) -> Option<usize> {
        let limit = match self.limit {
            Some(limit) => Some(limit),
            None if bytes < SMALL => None,
            None => available(),
        };
        limit.filter(|&limit| bytes > limit)
    }
}

/// A budget with what was taken of it.
pub(crate) struct Account {
    budget: Budget,
    taken: AtomicUsize,
}

impl Account {
    /// Of which so many bytes are taken already.
    pub(crate) fn new(budget: Budget, taken: usize) -> Self {
        Self {
            budget,
            taken: AtomicUsize::new(taken),
        }
    }

    /// Takes so many bytes more, for the `what` of a matrix with so many rows, or is an error.
    pub(crate) fn take(&self, what: &'static str, rows: usize, bytes: usize) -> Result<()> {
        let taken = self.taken.fetch_add(bytes, Ordering::Relaxed);
        let outcome = self.budget.besides(taken).check(what, rows, bytes);
        if outcome.is_err() {
            self.taken.fetch_sub(bytes, Ordering::Relaxed);
        }
        outcome
    }
}

/// Where groups of processes have their limits, and the names of the files in the two versions of that interface.
const GROUPS: [Group; 2] = [
    Group {
        root: "/sys/fs/cgroup",
        limit: "memory.max",
        used: "memory.current",
        cache: "inactive_file",
    },
    Group {
        root: "/sys/fs/cgroup/memory",
        limit: "memory.limit_in_bytes",
        used: "memory.usage_in_bytes",
        cache: "total_inactive_file",
    },
];

struct Group {
    root: &'static str,
    limit: &'static str,
    used: &'static str,
    /// Of what counts as used, pages of files that the system takes back before it runs out.
    cache: &'static str,
}

/// Bytes that the system can still give to this process, where it says so: on Linux the least of what the machine has
/// and what the limits of its control groups leave.
fn available() -> Option<usize> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let machine = entry(&read("/proc/meminfo"), "MemAvailable:").map(|kilobytes| kilobytes << 10);
    let groups = read("/proc/self/cgroup");
    let left = GROUPS.iter().filter_map(|group| {
        let place = group.place(&groups)?;
        // A limit holds for all groups below; in a container the upper part of the path may not be there.
        let ancestors = Path::new(place).ancestors();
        ancestors
            .filter_map(|path| group.left(&path.to_string_lossy()))
            .min()
    });
    left.chain(machine).min()
}

impl Group {
    /// The path of this process in /proc/self/cgroup.
    fn place<'t>(&self, groups: &'t str) -> Option<&'t str> {
        let unified = self.limit == "memory.max";
        groups.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            let mut controllers = controllers.split(',');
            let ours = controllers.any(|c| c == if unified { "" } else { "memory" });
            ours.then_some(path)
        })
    }

    /// What the limit at a path leaves.
    fn left(&self, path: &str) -> Option<usize> {
        let folder = format!("{}{}", self.root, path.trim_end_matches('/'));
        let read = |name: &str| fs::read_to_string(format!("{folder}/{name}")).ok();
        let number = |name: &str| read(name)?.trim().parse::<usize>().ok();
        let (limit, used) = (number(self.limit)?, number(self.used)?);
        let cache = read("memory.stat").and_then(|stat| entry(&stat, self.cache));
        Some(limit.saturating_sub(used.saturating_sub(cache.unwrap_or(0))))
    }
}

/// The number behind a name at the beginning of a line.
fn entry(text: &str, name: &str) -> Option<usize> {
    let mut lines = text.lines().map(str::split_whitespace);
    lines.find_map(|mut words| {
        let found = words.next() == Some(name);
        found.then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_one_for_what_is_held_and_what_is_wanted() {
        let budget = Budget::new(Some(1000));
        assert!(budget.fits(1000) && !budget.fits(1001));
        assert!(budget.besides(400).fits(600) && !budget.besides(400).fits(601));
        let error = budget.check("sparse LU", 7, 2000).unwrap_err();
        assert_eq!(error.kind(), "OutOfMemory");
        let account = Account::new(budget, 400);
        assert!(account.take("solve", 7, 500).is_ok() && account.take("solve", 7, 101).is_err());
        assert!(account.take("solve", 7, 100).is_ok());
        // Small demands are met whatever the system says; it never has all there could be.
        assert!(Budget::new(None).fits(SMALL - 1));
        assert_eq!(Budget::new(None).fits(usize::MAX), available().is_none());
    }

    #[test]
    fn numbers_and_places_are_found() {
        let text = "MemTotal:  24 kB\nMemAvailable:   17 kB\ninactive_file 5\n";
        assert_eq!(entry(text, "MemAvailable:"), Some(17));
        assert_eq!(entry(text, "inactive_file"), Some(5));
        assert_eq!(entry(text, "total_inactive_file"), None);
        let [unified, split] = &GROUPS;
        let groups = "9:cpu,memory:/a/b\n1:cpu:/\n0::/user/c\n";
        assert_eq!(split.place(groups), Some("/a/b"));
        assert_eq!(unified.place(groups), Some("/user/c"));
        assert_eq!(unified.place("9:memory:/a\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_says_what_it_has() {
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
    }
}
