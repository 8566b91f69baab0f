//! Memory limits for factorisations, checked before the memory is allocated.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// Size in bytes below which requests are not compared with the available memory, because the query would
/// cost more than the allocation.
const SMALL: usize = 64 << 20;

/// Memory budget of factorisations: a fixed limit, or the memory that the system has available when memory is
/// requested.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    limit: Option<usize>,
}

impl Budget {
    /// Budget that allows every request.
    pub(crate) const UNLIMITED: Self = Self {
        limit: Some(usize::MAX),
    };

    /// Creates a budget with a limit in bytes. If `limit` is `None`, the available memory of the system is
    /// the limit.
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self { limit }
    }

    /// Returns what remains of the budget after `held` bytes have been allocated. Only a fixed limit is
    /// reduced, since the available memory of the system already excludes allocated bytes.
    pub(crate) fn besides(self, held: usize) -> Self {
        Self {
            limit: self.limit.map(|limit| limit.saturating_sub(held)),
        }
    }

    /// Returns whether a request of this size is within the budget.
    pub(crate) fn fits(self, bytes: usize) -> bool {
        self.shortage(bytes).is_none()
    }

    /// Checks a request. In the error, `what` and `rows` describe the purpose of the request.
    ///
    /// # Errors
    /// Fails with [`Error::OutOfMemory`] if the request exceeds the budget.
    pub(crate) fn check(self, what: &'static str, rows: usize, bytes: usize) -> Result<()> {
        let error = |limit| Error::OutOfMemory {
            what,
            size: rows,
            needed: Some(bytes),
            limit: Some(limit),
        };
        self.shortage(bytes).map(error).map_or(Ok(()), Err)
    }

    /// Returns the limit if it is less than the requested number of bytes.
    fn shortage(self, bytes: usize) -> Option<usize> {
        let limit = match self.limit {
            Some(limit) => Some(limit),
            None if bytes < SMALL => None,
            None => available(),
        };
        limit.filter(|&limit| bytes > limit)
    }
}

/// Memory budget with the number of bytes charged to it so far.
pub(crate) struct Account {
    budget: Budget,
    taken: AtomicUsize,
}

impl Account {
    /// Opens an account with an initial charge of `taken` bytes.
    pub(crate) fn new(budget: Budget, taken: usize) -> Self {
        Self {
            budget,
            taken: AtomicUsize::new(taken),
        }
    }

    /// Charges bytes to the account. In the error, `what` and `rows` describe the purpose of the bytes.
    ///
    /// # Errors
    /// Fails with [`Error::OutOfMemory`] if the charge would exceed the budget. In that case nothing is
    /// charged.
    pub(crate) fn take(&self, what: &'static str, rows: usize, bytes: usize) -> Result<()> {
        // The charge is added before the check and removed on refusal. If two threads request memory at the
        // same time, the later one sees the charge of the earlier one, so that together they cannot exceed
        // the budget.
        let taken = self.taken.fetch_add(bytes, Ordering::Relaxed);
        let outcome = self.budget.besides(taken).check(what, rows, bytes);
        if outcome.is_err() {
            self.taken.fetch_sub(bytes, Ordering::Relaxed);
        }
        outcome
    }
}

/// Files of Linux control groups (cgroups), which limit the memory of processes, in versions 2 and 1 of the
/// interface.
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

/// Root folder and file names of one version of the cgroup interface.
struct Group {
    root: &'static str,
    limit: &'static str,
    used: &'static str,
    /// Name in `memory.stat` of the file cache that counts as used but is reclaimed on demand.
    cache: &'static str,
}

/// Returns the bytes still available to this process, or `None` if the system does not report them.
///
/// On Linux this is the smaller of two amounts: the available memory of the machine, and the smallest
/// remainder below a limit of the control group of this process or of its ancestors.
fn available() -> Option<usize> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let machine = entry(&read("/proc/meminfo"), "MemAvailable:").map(|kilobytes| kilobytes << 10);
    let groups = read("/proc/self/cgroup");
    let left = GROUPS.iter().filter_map(|group| {
        let path = group.path(&groups)?;
        // The limit of a group applies to all its subgroups together. In a container, upper parts of the path
        // may not be visible.
        let ancestors = Path::new(path).ancestors();
        ancestors
            .filter_map(|path| group.left(&path.to_string_lossy()))
            .min()
    });
    left.chain(machine).min()
}

impl Group {
    /// Returns the path of the control group of this process from the text of /proc/self/cgroup.
    fn path<'t>(&self, groups: &'t str) -> Option<&'t str> {
        let unified = self.limit == "memory.max";
        groups.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            let mut controllers = controllers.split(',');
            let ours = controllers.any(|c| c == if unified { "" } else { "memory" });
            ours.then_some(path)
        })
    }

    /// Returns the number of unused bytes below the limit of the control group with this path.
    fn left(&self, path: &str) -> Option<usize> {
        let folder = format!("{}{}", self.root, path.trim_end_matches('/'));
        let read = |name: &str| fs::read_to_string(format!("{folder}/{name}")).ok();
        let number = |name: &str| read(name)?.trim().parse::<usize>().ok();
        let (limit, used) = (number(self.limit)?, number(self.used)?);
        let cache = read("memory.stat").and_then(|stat| entry(&stat, self.cache));
        // The files are not read at the same instant, so that the differences may be slightly negative.
        Some(limit.saturating_sub(used.saturating_sub(cache.unwrap_or(0))))
    }
}

/// Returns the number that follows `name` on the line that starts with `name`.
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
    fn a_limit_bounds_allocated_and_requested_memory_together() {
        let budget = Budget::new(Some(1000));
        assert!(budget.fits(1000) && !budget.fits(1001));
        assert!(budget.besides(400).fits(600) && !budget.besides(400).fits(601));
        let error = budget.check("sparse LU", 7, 2000).unwrap_err();
        assert_eq!(error.kind(), "OutOfMemory");
        let account = Account::new(budget, 400);
        assert!(account.take("solve", 7, 500).is_ok() && account.take("solve", 7, 101).is_err());
        assert!(account.take("solve", 7, 100).is_ok());
        // Small requests fit without a query. The largest request never fits if the system reports its memory.
        assert!(Budget::new(None).fits(SMALL - 1));
        assert_eq!(Budget::new(None).fits(usize::MAX), available().is_none());
    }

    #[test]
    fn numbers_and_paths_are_parsed() {
        let text = "MemTotal:  24 kB\nMemAvailable:   17 kB\ninactive_file 5\n";
        assert_eq!(entry(text, "MemAvailable:"), Some(17));
        assert_eq!(entry(text, "inactive_file"), Some(5));
        assert_eq!(entry(text, "total_inactive_file"), None);
        let [unified, split] = &GROUPS;
        let groups = "9:cpu,memory:/a/b\n1:cpu:/\n0::/user/c\n";
        assert_eq!(split.path(groups), Some("/a/b"));
        assert_eq!(unified.path(groups), Some("/user/c"));
        assert_eq!(unified.path("9:memory:/a\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_reports_available_memory() {
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
    }
}
