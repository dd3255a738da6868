import CLinux
import Glibc
import KernelInterface
import Synchronization

/// Named network namespaces, as `ip netns` keeps them: a file in /run/netns onto which the namespace is mounted (ip-netns(8)).
enum NamespaceRegistry {
    /// Mounts that may lie on one name, and tries to unlink it while others come and go.
    static let removalAttempts = 16

    /// Names that stand for a namespace. A file without a mount (left by a crash between the two steps) is none.
    static func names() throws(KernelError) -> Set<NamespaceName> {
        let files = try directoryEntries(NamespaceRunner.directory)
        return Set(files.filter { clinux_is_namespace_file("\(NamespaceRunner.directory)/\($0)") == 1 }.map { NamespaceName($0) })
    }

    /// Makes a namespace with its loopback device up, and gives it the name. Without `promote_secondaries` the removal of an IPv4 address
    /// would take along every other address of its prefix that was added after it.
    static func add(_ name: NamespaceName) throws(KernelError) {
        try prepareDirectory()
        let path = NamespaceRunner.path(of: name)
        let action = KernelOperation.addNamespace(name).action
        guard clinux_is_namespace_file(path) != 1 else { throw KernelError(EEXIST, action) }
        // Without O_EXCL: a stale file is used.
        let file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0)
        guard file >= 0 else { throw KernelError(errno, action) }
        close(file)
        do throws(KernelError) {
            try NamespaceRunner.runInNewNamespace { () throws(KernelError) in
                try raiseLoopback()
                try SystemControls.write("net/ipv4/conf/all/promote_secondaries", "1", in: nil)
                let mounted = clinux_mount_network_namespace(path)
                guard mounted >= 0 else { throw KernelError(-mounted, action) }
            }
        } catch {
            unlink(path)
            throw error
        }
    }

    /// Takes the name away; the namespace ends with its last process and socket.
    static func remove(_ name: NamespaceName) throws(KernelError) {
        let path = NamespaceRunner.path(of: name)
        var code: Int32 = 0
        for _ in 0..<removalAttempts {
            // EINVAL: nothing is mounted there, a stale file or the last mount is off. Several mounts may lie on top of each other.
            for _ in 0..<removalAttempts where clinux_unmount(path) != 0 { break }
            if unlink(path) == 0 { return }
            code = errno
            guard code == EBUSY else { break }
        }
        throw KernelError(code, KernelOperation.removeNamespace(name).action)
    }

    private static func raiseLoopback() throws(KernelError) {
        try attempt("bring the loopback device up") { () throws(NetlinkError) in
            let socket = try NetlinkSocket(protocol: NETLINK_ROUTE)
            // The first device of every namespace.
            try socket.perform(LinkMessages.change(index: 1, LinkMessages.Change(isUp: true)))
        }
    }

    /// The directory must be a shared mount, or a namespace that is removed here would live on in the private mount trees of daemons.
    private static func prepareDirectory() throws(KernelError) {
        if mkdir(NamespaceRunner.directory, 0o755) < 0, errno != EEXIST {
            throw KernelError(errno, "make \(NamespaceRunner.directory)")
        }
        let isDone = isDirectoryShared.withLock { isShared -> Int32 in
            if isShared { return 0 }
            // Two processes that do this for the first time at once would mount the directory onto itself twice.
            let directory = open(NamespaceRunner.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard directory >= 0 else { return -errno }
            defer { close(directory) }
            flock(directory, LOCK_EX)
            let result = clinux_make_shared_mount(NamespaceRunner.directory)
            isShared = result >= 0
            return result
        }
        guard isDone >= 0 else { throw KernelError(-isDone, "make \(NamespaceRunner.directory) a shared mount point") }
    }

    /// Whether this process has seen to it already.
    private static let isDirectoryShared = Mutex(false)
}

/// The names in a directory without "." and ".."; none when it is not there.
func directoryEntries(_ path: String) throws(KernelError) -> [String] {
    guard let directory = opendir(path) else {
        guard errno == ENOENT else { throw KernelError(errno, "list \(path)") }
        return []
    }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
            tuple.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: tuple.pointee)) { String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}
