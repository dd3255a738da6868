import Glibc

/// The limit of files that this process may have open at once (getrlimit(2)).
public enum OpenFiles {
    /// Raises the limit to what the kernel allows: a router costs some eight descriptors, and the usual limit is 1024. What the process starts
    /// inherits it.
    ///
    /// - Returns: The limit that holds then. Where it could not be raised, the open that fails says so.
    @discardableResult
    public static func allowMost() -> UInt64 {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        var raised = limit
        raised.rlim_cur = limit.rlim_max
        let isRaised = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0
        return UInt64(isRaised ? raised.rlim_cur : limit.rlim_cur)
    }
}
