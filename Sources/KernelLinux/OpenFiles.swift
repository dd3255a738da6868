import Glibc

/// The limit of files that this process may have open at once (getrlimit(2)).
public enum OpenFiles {
    /// Raises the limit to what the kernel allows: a router costs some eight descriptors, and the usual limit is 1024. What the process starts
    /// inherits it.
    public static func allowMost() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        // Where it cannot be raised, the open that fails says so.
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
