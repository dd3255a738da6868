import CLinux
import Glibc

/// A running process as /proc shows it. A lab is found by the environment of its processes, so nothing has to be remembered about them.
struct LabProcess: Hashable, Sendable {
    /// The variable that every process of a lab carries; its value is the lab's name.
    static let mark = "NEUTRINO_LAB"
    /// What the process is in its lab: a host, `fabric`, `outside`, `server`, `relay`, `instance NAME`.
    static let roleMark = "NEUTRINO_LAB_ROLE"

    var id: Int32

    /// Every process whose environment carries the mark, of one lab or (nil) of all, except the calling one.
    static func all(ofLab name: String?) -> [LabProcess] {
        let own = getpid()
        return Files.list("/proc").compactMap { entry in
            guard let id = Int32(entry), id != own else { return nil }
            let process = LabProcess(id: id)
            guard let lab = process.environment(mark), name == nil || lab == name else { return nil }
            return process.isRunning ? process : nil
        }
    }

    /// Every process in the same process namespace as `other`, except `other` itself.
    static func all(besides other: LabProcess) -> [LabProcess] {
        guard let namespace = other.processNamespace else { return [] }
        return Files.list("/proc").compactMap { entry in
            guard let id = Int32(entry), id != other.id else { return nil }
            let process = LabProcess(id: id)
            return process.processNamespace == namespace && process.isRunning ? process : nil
        }
    }

    var command: [String] {
        guard let bytes = Files.read("/proc/\(id)/cmdline") else { return [] }
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The last part of the program's path.
    var programName: String { String(command.first?.split(separator: "/").last ?? "") }

    func environment(_ name: String) -> String? {
        guard let bytes = Files.read("/proc/\(id)/environ") else { return nil }
        let prefix = Array("\(name)=".utf8)
        return bytes.split(separator: 0).first { $0.starts(with: prefix) }.map {
            String(decoding: $0.dropFirst(prefix.count), as: UTF8.self)
        }
    }

    /// Whether the process is there and no zombie.
    var isRunning: Bool { state.map { $0 != UInt8(ascii: "Z") && $0 != UInt8(ascii: "X") } ?? false }

    /// Whether a signal (SIGSTOP) keeps it from running.
    var isStopped: Bool { state == UInt8(ascii: "T") }

    /// The letter of its state, as proc(5) has it.
    private var state: UInt8? {
        guard let bytes = Files.read("/proc/\(id)/stat") else { return nil }
        // The state follows the name, which stands in parentheses and may hold any character.
        guard let end = bytes.lastIndex(of: UInt8(ascii: ")")), end + 2 < bytes.count else { return nil }
        return bytes[end + 2]
    }

    private var processNamespace: UInt64? {
        var status = stat()
        return stat("/proc/\(id)/ns/pid", &status) == 0 ? UInt64(status.st_ino) : nil
    }

    func kill() { _ = Glibc.kill(id, SIGKILL) }

    /// Kills them all and waits until they are gone; false when one does not go.
    @discardableResult
    static func end(_ processes: [LabProcess], timeoutMilliseconds: Int = 10_000) -> Bool {
        for process in processes { process.kill() }
        return blockUntil(timeoutMilliseconds: timeoutMilliseconds) {
            // Those that this process started itself stay zombies until somebody asks for their end.
            for process in processes { waitpid(process.id, nil, WNOHANG) }
            return !processes.contains(where: \.isRunning)
        }
    }

    /// Starts a program that outlives this process, with the lab's mark.
    static func start(
        _ words: [String], lab: String, role: String, output: Int32 = -1, error: Int32 = -1
    ) throws(LabError) -> LabProcess {
        let command = ["env", "\(mark)=\(lab)", "\(roleMark)=\(role)"] + words
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        let id = clinux_spawn(&arguments, -1, output, error)
        guard id > 0 else { throw LabError("Cannot start \(words[0]): \(String(cString: strerror(-id))).") }
        return LabProcess(id: id)
    }
}
