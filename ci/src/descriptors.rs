use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process, and those that it starts, open as many files as it may.
///
/// # Panics
/// If that is fewer than `needed`.
pub fn need_descriptors(needed: u64) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).expect("a process may raise its limit to the maximum");
    assert!(
        limit.maximum.is_none_or(|maximum| maximum >= needed),
        "{needed} open files are needed, {:?} allowed; raise the limit (ulimit -Hn)",
        limit.maximum
    );
}
