import Glibc
import KernelInterface

/// What /proc says of one process.
///
/// What a process may keep from others that lack CAP_SYS_PTRACE (daemons that gave their rights up do) is not needed to see that it is there.
struct ProcessEntry {
    /// As long as a path may be (PATH_MAX).
    private static let pathBytes = 4096
    /// Of a file that was replaced while it is run, as by an update of its package.
    private static let deletedSuffix = " (deleted)"
    private static let fileLimitBytes = 16 * 1024 * 1024

    let id: Int32

    /// Nil when there is no such process, or none of ours: a zombie, or one of another process namespace.
    var status: ProcessStatus? {
        guard id > 0, let (name, state) = nameAndState, state != UInt8(ascii: "Z"), state != UInt8(ascii: "X"), isInSameProcessNamespace,
            let command
        else { return nil }
        return ProcessStatus(id: id, command: command, program: executable ?? name, isInHostNetwork: isInHostNetwork)
    }

    /// The words of the command line: each ends with a zero. A daemon may have overwritten it with one text.
    var command: [String]? {
        guard let line = contents("cmdline") else { return nil }
        return line.split(separator: 0, omittingEmptySubsequences: false).dropLast(line.last == 0 ? 1 : 0).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// "PID (NAME) STATE …", where NAME may hold anything. It is the first 15 octets of the program's, unless the process gave itself another.
    private var nameAndState: (name: String, state: UInt8)? {
        guard let line = contents("stat"), let start = line.firstIndex(of: UInt8(ascii: "(")),
            let end = line.lastIndex(of: UInt8(ascii: ")")), start < end, let state = line[end...].dropFirst(2).first
        else { return nil }
        return (String(decoding: line[(start + 1)..<end], as: UTF8.self), state)
    }

    /// The name of the file that it runs.
    private var executable: String? {
        var path = [CChar](repeating: 0, count: Self.pathBytes)
        let count = readlink("/proc/\(id)/exe", &path, path.count)
        guard count > 0, let last = path.prefix(count).split(separator: CChar(bitPattern: UInt8(ascii: "/"))).last else { return nil }
        let name = String(decoding: last.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return name.hasSuffix(Self.deletedSuffix) ? String(name.dropLast(Self.deletedSuffix.count)) : name
    }

    /// "NSpid: 4711" names a process by its numbers in all process namespaces, from this one inwards.
    private var isInSameProcessNamespace: Bool {
        let lines = String(decoding: contents("status") ?? [], as: UTF8.self).split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix("NSpid:") }) else { return true }
        return line.split(whereSeparator: \.isWhitespace).count == 2
    }

    private var isInHostNetwork: Bool {
        var (its, own) = (stat(), stat())
        guard stat("/proc/\(id)/ns/net", &its) == 0, stat("/proc/self/ns/net", &own) == 0 else { return false }
        return its.st_ino == own.st_ino && its.st_dev == own.st_dev
    }

    private func contents(_ name: String) -> [UInt8]? { try? FileContents.read("/proc/\(id)/\(name)", limit: Self.fileLimitBytes) }
}
