import KernelInterface

/// What is kept on disk about a daemon that was started, so that the next agent recognises it without memory: one text file per daemon.
///
///     key dnsmasq/0b0c…
///     mark /var/lib/neutrino/dhcp/0b0c…/
///     pid-file /var/lib/neutrino/dhcp/0b0c…/pid
///     namespace qdhcp-0b0c…
///     stop 15 2000
///     argument dnsmasq
///     argument --conf-file=…
///     file a7f3… /var/lib/neutrino/dhcp/0b0c…/hosts
///     pipe …
///     directory /var/lib/neutrino/dhcp/0b0c…
struct DaemonRecord: Hashable, Sendable {
    var key: String
    var mark: String
    var processIDFile: String
    var namespace: String?
    var stopSignal: Int32
    var stopTimeoutMilliseconds: Int
    var command: [String]
    /// Path → digest of the contents that the running process was last told to read.
    var files: [String: String]
    var namedPipes: [String]
    var directory: String?

    init(_ configuration: DaemonConfiguration) {
        key = configuration.key
        mark = configuration.mark
        processIDFile = configuration.processIDFile
        namespace = configuration.namespace?.description
        stopSignal = configuration.stopSignal
        stopTimeoutMilliseconds = configuration.stopTimeoutMilliseconds
        command = configuration.command
        files = Dictionary(
            configuration.files.filter { !$0.isInitial }.map { ($0.path, Self.digest($0.contents)) }, uniquingKeysWith: { $1 })
        namedPipes = configuration.namedPipes
        directory = configuration.directory
    }

    /// Whether a process of this record can become that of the configuration without a restart.
    func runs(_ configuration: DaemonConfiguration) -> Bool {
        command == configuration.command && namespace == configuration.namespace?.description && mark == configuration.mark
            && processIDFile == configuration.processIDFile
    }

    // MARK: Processes

    /// Whether a process is the daemon, one of its children, or a start of it that is under way.
    ///
    /// The mark alone would be anybody's: an editor, `tail -f` or a backup is told the same path. So it must run the daemon's program (whose file may be called
    /// `.dnsmasq-wrapped` or `haproxy-2.8` as well) or be the script that starts it, and outside of the host's network when the daemon has a namespace. It may be
    /// another one than the namespace that has the name now, which was made anew since.
    func isOf(_ process: ProcessStatus) -> Bool {
        guard process.command.joined(separator: " ").contains(mark), namespace == nil || !process.isInHostNetwork else { return false }
        guard let start = Self.startName(in: command) else { return process.program.contains(command.first ?? "") }
        return process.program.contains(start.dropLast(Self.startSuffix.count)) || Self.startName(in: process.command) == start
    }

    private static let startSuffix = "-start"

    /// The name that a script was given which starts a daemon; nil for other commands.
    private static func startName(in command: [String]) -> String? {
        guard command.count > 3, command[0] == "sh", command[1] == "-c", command[3].hasSuffix(startSuffix) else { return nil }
        return command[3]
    }

    // MARK: Text

    /// Nil when the text is not a record (a file that somebody put there).
    init?(_ text: String) {
        var values: [String: [String]] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { return nil }
            values[String(parts[0]), default: []].append(Self.unescape(parts[1]))
        }
        let stop = values["stop"]?.first?.split(separator: " ").compactMap { Int($0) } ?? []
        guard let key = values["key"]?.first, let mark = values["mark"]?.first, let path = values["pid-file"]?.first, stop.count == 2,
            let signal = Int32(exactly: stop[0])
        else { return nil }
        self.key = key
        self.mark = mark
        processIDFile = path
        namespace = values["namespace"]?.first
        stopSignal = signal
        stopTimeoutMilliseconds = stop[1]
        command = values["argument"] ?? []
        files = [:]
        for entry in values["file"] ?? [] {
            guard let space = entry.firstIndex(of: " ") else { return nil }
            files[String(entry[entry.index(after: space)...])] = String(entry[..<space])
        }
        namedPipes = values["pipe"] ?? []
        directory = values["directory"]?.first
    }

    var text: String {
        var lines = ["key \(Self.escape(key))", "mark \(Self.escape(mark))", "pid-file \(Self.escape(processIDFile))"]
        if let namespace { lines.append("namespace \(namespace)") }
        lines.append("stop \(stopSignal) \(stopTimeoutMilliseconds)")
        lines += command.map { "argument \(Self.escape($0))" }
        lines += files.sorted { $0.key < $1.key }.map { "file \($0.value) \(Self.escape($0.key))" }
        lines += namedPipes.map { "pipe \(Self.escape($0))" }
        if let directory { lines.append("directory \(Self.escape(directory))") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The name of the record's file: the key with what a file name cannot hold written as %XX.
    static func fileName(for key: String) -> String {
        var name = ""
        for character in key {
            switch character {
            case "/": name += "%2F"
            case "%": name += "%25"
            default: name.append(character)
            }
        }
        return name
    }

    private static func escape(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "\n": escaped += "\\n"
            case "\\": escaped += "\\\\"
            default: escaped.append(character)
            }
        }
        return escaped
    }

    private static func unescape(_ text: Substring) -> String {
        var plain = ""
        var isEscaped = false
        for character in text {
            if isEscaped {
                plain.append(character == "n" ? "\n" : character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                plain.append(character)
            }
        }
        return plain
    }

    /// FNV-1a, 64 bits: tells changed contents from unchanged ones, no more.
    static func digest(_ text: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }
}
