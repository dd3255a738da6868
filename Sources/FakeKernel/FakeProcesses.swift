import Glibc
import KernelInterface

/// The simulated processes and files of a host.
struct FakeProcesses {
    struct Entry {
        var command: [String]
        var namespace: NamespaceName?
        /// Ends only by SIGKILL.
        var isStubborn = false

        func status(id: Int32) -> ProcessStatus {
            let program = command.first?.split(separator: "/").last ?? ""
            return ProcessStatus(id: id, command: command, program: String(program), isInHostNetwork: namespace == nil)
        }
    }

    var running: [Int32: Entry] = [:]
    var files: [String: String] = [:]
    var pipes: Set<String> = []
    var nextID: Int32 = 1000

    mutating func spawn(_ command: [String], _ namespace: NamespaceName?, isStubborn: Bool = false) -> Int32 {
        nextID += 1
        running[nextID] = Entry(command: command, namespace: namespace, isStubborn: isStubborn)
        return nextID
    }

    mutating func signal(_ signal: Int32, _ id: Int32) throws(KernelError) {
        guard let process = running[id] else { throw KernelError(code: ESRCH, "no process \(id)") }
        let ends = signal == SIGKILL || ([SIGTERM, SIGINT, SIGQUIT].contains(signal) && !process.isStubborn)
        if ends { running[id] = nil }
    }

    mutating func remove(_ path: String) {
        let inside = path + "/"
        files = files.filter { $0.key != path && !$0.key.hasPrefix(inside) }
        pipes = pipes.filter { $0 != path && !$0.hasPrefix(inside) }
    }

    func list(_ path: String) -> [String] {
        let inside = path + "/"
        let names = (Array(files.keys) + Array(pipes)).filter { $0.hasPrefix(inside) }.compactMap {
            $0.dropFirst(inside.count).split(separator: "/").first.map(String.init)
        }
        return Set(names).sorted()
    }

    /// Whether the program ends when it has done what it was started for: a look at a configuration.
    static func isBrief(_ command: [String]) -> Bool { command.first == "keepalived" && command.contains("-t") }

    /// Where a program writes its process id, as dnsmasq, keepalived, haproxy, radvd and conntrackd are told it.
    static func processIDFile(in command: [String]) -> String? {
        for (index, word) in command.enumerated() {
            for option in ["--pid-file=", "--pid=", "--pidfile="] where word.hasPrefix(option) {
                return String(word.dropFirst(option.count))
            }
            // A start script gets the path as an argument of its own.
            if command.first == "sh", word.hasSuffix(".pid") { return word }
            if word == "-p" || word == "--pid", index + 1 < command.count { return command[index + 1] }
        }
        return nil
    }
}
