import CLinux
import Glibc
import KernelInterface
import Synchronization

/// Daemons and files of the real machine behind ``ProcessHost``.
public final class LinuxProcessHost: ProcessHost {
    /// The most of a daemon's words that an error repeats.
    static let complaintBytes = 64 * 1024
    /// Configurations are far smaller; what is larger is no file of ours.
    static let fileLimitBytes = 16 * 1024 * 1024
    /// How deep ``removeFile(_:)`` follows directories.
    static let directoryDepth = 32

    private let temporaryNumber = Mutex<UInt64>(0)

    public init() {}

    // MARK: Processes

    public func start(_ command: [String], in namespace: NamespaceName?, timeoutMilliseconds: Int) throws(KernelError) {
        let action = "start \(Self.named(command))\(place(namespace))"
        // A file of fixed size instead of a pipe: a daemon that keeps its standard error can neither block on it, nor die of SIGPIPE when
        // nobody reads any more, nor fill the memory.
        let complaint = clinux_fixed_memory_file("complaint", Self.complaintBytes)
        guard complaint >= 0 else { throw KernelError(-complaint, action) }
        defer { close(complaint) }
        // A child begins in the namespace of the thread that made it. `ip netns exec` would cost a program more for each start, and a tree of
        // mounts for each daemon.
        let child = try NamespaceRunner.runTyped(in: namespace) { () throws(KernelError) in
            try ChildProcess(command, input: nil, output: complaint, error: complaint, action)
        }
        guard child.waitForExit(Deadline(milliseconds: timeoutMilliseconds)) else {
            child.kill()
            _ = child.reap()
            throw KernelError(ETIMEDOUT, action, kernelSentence: Self.words(in: complaint))
        }
        let exitCode = child.reap()
        guard exitCode == 0 else {
            let said = Self.words(in: complaint) ?? "it said nothing"
            throw KernelError(code: 0, "cannot \(action): it ended with exit code \(exitCode): \(said)")
        }
    }

    /// A command for people: a script that is an argument would hide what the command said.
    private static func named(_ command: [String]) -> String {
        command.map { $0.contains(where: \.isNewline) ? "…" : $0 }.joined(separator: " ")
    }

    /// What was written to the file: up to the position that the child, who shares it, left.
    private static func words(in file: Int32) -> String? {
        let length = min(Int(lseek(file, 0, SEEK_CUR)), complaintBytes)
        guard length > 0 else { return nil }
        let bytes = [UInt8](unsafeUninitializedCapacity: length) { area, count in
            count = max(pread(file, area.baseAddress, length, 0), 0)
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
        return lines.isEmpty ? nil : lines.joined(separator: "; ")
    }

    public func process(id: Int32) -> ProcessStatus? { ProcessEntry(id: id).status }

    public func processes(marked mark: String) -> [ProcessStatus] {
        let own = getpid()
        let names = (try? directoryEntries("/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { $0 != own }.sorted().compactMap { id in
            let entry = ProcessEntry(id: id)
            return entry.command?.joined(separator: " ").contains(mark) == true ? entry.status : nil
        }
    }

    public func signal(_ signal: Int32, process id: Int32) throws(KernelError) {
        // 0 and negative numbers would reach whole groups of processes, this one among them.
        precondition(id > 1, "a process id is greater than 1")
        guard kill(id, signal) == 0 else { throw KernelError(errno, "send signal \(signal) to process \(id)") }
    }

    public func waitForExit(process id: Int32, timeoutMilliseconds: Int) -> Bool {
        let descriptor = clinux_open_process(id)
        guard descriptor >= 0 else { return descriptor == -ESRCH }
        defer { close(descriptor) }
        let deadline = Deadline(milliseconds: timeoutMilliseconds)
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        var count: Int32 = -1
        repeat { count = poll(&watched, 1, deadline.remainingMilliseconds) } while count < 0 && errno == EINTR
        // A child of this process would stay a zombie; for any other this does nothing.
        if count > 0 { waitpid(id, nil, WNOHANG) }
        return count > 0
    }

    // MARK: Files

    public func readFile(_ path: String) throws(KernelError) -> String? {
        guard let bytes = try FileContents.read(path, limit: Self.fileLimitBytes) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// No fsync: the rename alone keeps readers from half a file. A power cut may lose the contents, but then the daemons are gone as well, and
    /// the agent compares and writes every file again before it starts them.
    public func writeFile(_ path: String, _ contents: String) throws(KernelError) {
        let (directory, name) = Self.split(path)
        try makeDirectory(directory)
        let number = temporaryNumber.withLock { number -> UInt64 in
            number += 1
            return number
        }
        let temporary = "\(directory)/.\(name).\(getpid()).\(number)"
        do throws(KernelError) {
            try FileContents.write(temporary, Array(contents.utf8))
            guard rename(temporary, path) == 0 else { throw KernelError(errno, "write \(path)") }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    public func limit(_ log: GrowingLog) throws(KernelError) { try FileContents.limit(log) }

    public func makeNamedPipe(_ path: String) throws(KernelError) {
        try makeDirectory(Self.split(path).directory)
        guard mkfifo(path, 0o600) != 0 else { return }
        let code = errno
        var status = stat()
        guard code == EEXIST, lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else {
            throw KernelError(code, "make named pipe \(path)")
        }
    }

    public func removeFile(_ path: String) throws(KernelError) { try remove(path, depth: Self.directoryDepth) }

    private func remove(_ path: String, depth: Int) throws(KernelError) {
        if unlink(path) == 0 || errno == ENOENT { return }
        guard errno == EISDIR, depth > 0 else { throw KernelError(errno, "remove \(path)") }
        for name in try directoryEntries(path) { try remove("\(path)/\(name)", depth: depth - 1) }
        guard rmdir(path) == 0 || errno == ENOENT else { throw KernelError(errno, "remove \(path)") }
    }

    public func listDirectory(_ path: String) throws(KernelError) -> [String] { try directoryEntries(path).sorted() }

    /// Makes a directory and those above it. Daemons run as users of their own, so the mode does not depend on the umask.
    private func makeDirectory(_ path: String) throws(KernelError) {
        if path.isEmpty || mkdir(path, 0o755) == 0 {
            if !path.isEmpty { chmod(path, 0o755) }
            return
        }
        switch errno {
        case EEXIST: return
        case ENOENT:
            let parent = Self.split(path).directory
            guard !parent.isEmpty, parent != path else { throw KernelError(ENOENT, "make directory \(path)") }
            try makeDirectory(parent)
            guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw KernelError(errno, "make directory \(path)") }
            chmod(path, 0o755)
        default: throw KernelError(errno, "make directory \(path)")
        }
    }

    private static func split(_ path: String) -> (directory: String, name: String) {
        precondition(path.hasPrefix("/"), "paths are absolute")
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        return (String(path[..<slash]), String(path[path.index(after: slash)...]))
    }
}
