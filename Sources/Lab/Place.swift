import CLinux
import Glibc
import KernelInterface
import KernelLinux

/// A machine of the lab: network, mount, host name and process namespaces of its own, kept alive by a process that does nothing.
///
/// That process is the init of the process namespace: when it is killed, everything in the place ends, and the namespaces with it.
public struct Place: Hashable, Sendable {
    public var name: String
    /// The process that keeps the namespaces, in the numbering of the machine.
    public var processID: Int32

    public static let commandTimeoutMilliseconds = 60_000
    static let startTimeoutMilliseconds = 10_000
    /// The disk that a host's agent keeps its state on: small, so that it can be filled up, and large enough for 1,000 routers.
    static let hostDiskKibibytes = 96 * 1024

    /// Makes the place private (its own /run with what `ip netns` keeps there, /sys, /proc), says its process id, then sleeps.
    ///
    /// The id is read from /proc before that is replaced: the new one numbers the place's processes from 1. A lab's state directory
    /// under /run stays visible inside, and a host has a disk of its own for its agent's state. Ended orphans are reaped by the kernel since SIGCHLD is ignored.
    private static let holdScript = """
        read pid rest < /proc/self/stat
        ip link set lo up || exit 1
        mkdir -p "$1" && mount -n -t tmpfs tmpfs "$1" && mkdir -p "$1/netns" || exit 1
        case "$2" in /run/*) mkdir -p "$1/${2#/run/}" && mount -n --bind "$2" "$1/${2#/run/}" || exit 1;; esac
        mount -n --move "$1" /run && mount -n -t sysfs sysfs /sys && mount -n -t proc proc /proc && hostname "$3" || exit 1
        [ "$4" != host ] || { mkdir -p "$2/$3/state" && mount -n -t tmpfs -o size=$5k,mode=755 tmpfs "$2/$3/state"; } || exit 1
        for knob in /proc/sys/net/bridge/bridge-nf-call-*; do [ "$4" = host ] || [ ! -e "$knob" ] || echo 0 > "$knob"; done
        echo "$pid"
        exec env --ignore-signal=CHLD sleep infinity > /dev/null
        """

    /// A place that has been started and not yet answered.
    struct Start: Sendable {
        var name: String
        var output: Int32
        var log: String
    }

    /// Starts a place; several may be started before the first is waited for.
    static func start(_ name: String, role: String, lab: String, state: String) throws(LabError) -> Start {
        var ends: [Int32] = [-1, -1]
        guard clinux_pipe(&ends) >= 0 else { throw Files.failure("make a pipe") }
        let log = "\(state)/places.log"
        let error = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        defer {
            close(ends[1])
            if error >= 0 { close(error) }
        }
        let words =
            ["unshare", "--mount", "--net", "--uts", "--pid", "--fork", "--kill-child=SIGKILL", "sh", "-c", holdScript, "sh"]
            + ["\(state)/\(role)-\(name).run", state, name, role, "\(hostDiskKibibytes)"]
        do throws(LabError) {
            _ = try LabProcess.start(words, lab: lab, role: role, output: ends[1], error: error)
        } catch {
            close(ends[0])
            throw error
        }
        return Start(name: name, output: ends[0], log: log)
    }

    /// Waits until the place is ready.
    static func finish(_ start: Start) throws(LabError) -> Place {
        defer { close(start.output) }
        var answer: [UInt8] = []
        let deadline = MonotonicTime.milliseconds + startTimeoutMilliseconds
        while !answer.contains(UInt8(ascii: "\n")) {
            var entry = pollfd(fd: start.output, events: Int16(POLLIN), revents: 0)
            let remaining = deadline - MonotonicTime.milliseconds
            guard remaining > 0 else { break }
            guard poll(&entry, 1, Int32(remaining)) > 0 else { continue }
            var chunk = [UInt8](repeating: 0, count: 64)
            let count = read(start.output, &chunk, chunk.count)
            if count == 0 { break }
            answer += chunk.prefix(max(count, 0))
        }
        let text = String(decoding: answer.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        guard let processID = Int32(text), processID > 0 else {
            throw LabError("The namespaces of \(start.name) could not be made.\(Files.tail(start.log))")
        }
        return Place(name: start.name, processID: processID)
    }

    var process: LabProcess { LabProcess(id: processID) }

    public var isRunning: Bool { process.isRunning && process.environment(LabProcess.mark) != nil }

    /// The words that run a command inside the place.
    public func words(_ command: [String]) -> [String] {
        ["nsenter", "--target", "\(processID)", "--mount", "--net", "--uts", "--pid", "--"] + command
    }

    /// The words that run a command in the place's network only; process ids keep the machine's numbering.
    func networkWords(_ command: [String]) -> [String] { ["nsenter", "--net=/proc/\(processID)/ns/net", "--"] + command }

    /// Runs a command inside and answers how it ended. Blocks.
    func runBlocking(_ command: [String], input: String? = nil, timeoutMilliseconds: Int) throws -> ProgramResult {
        guard isRunning else { throw LabError("\(name) is not running any more: see 'neutrino lab status'.") }
        return try runProgram(words(command), input: input, timeoutMilliseconds: timeoutMilliseconds)
    }

    /// Runs a command inside to its end and answers its exit code and output, whatever they are.
    public func run(
        _ command: [String], input: String? = nil, timeoutMilliseconds: Int = commandTimeoutMilliseconds
    ) async throws -> ProgramResult {
        try await BackgroundThread.run { try runBlocking(command, input: input, timeoutMilliseconds: timeoutMilliseconds) }
    }

    /// Runs a command inside that must succeed, and answers its standard output.
    @discardableResult
    public func output(_ command: [String], timeoutMilliseconds: Int = commandTimeoutMilliseconds) async throws -> String {
        let result = try await run(command, timeoutMilliseconds: timeoutMilliseconds)
        guard result.exitCode == 0 else {
            throw LabError("'\(command.joined(separator: " "))' in \(name) ended with \(result.exitCode): \(result.standardError)")
        }
        return result.standardOutput
    }

    /// Starts a command inside that lives on until the place ends, with its output in a file.
    public func start(_ command: [String], log: String, environment: [String] = []) async throws {
        let script = "log=$1; shift; \"$@\" < /dev/null >> \"$log\" 2>&1 &"
        let result = try await run(["sh", "-c", script, "sh", log, "env"] + environment + command)
        guard result.exitCode == 0 else { throw LabError("\(command[0]) could not be started in \(name): \(result.standardError)") }
    }

    /// Runs `ip -batch` in the place's network; the first line that fails ends it.
    func batch(_ lines: [String], force: Bool = false) throws {
        let result = try runProgram(
            networkWords(["ip"] + (force ? ["-force"] : []) + ["-batch", "-"]), input: lines.joined(separator: "\n") + "\n",
            timeoutMilliseconds: Self.commandTimeoutMilliseconds)
        guard result.exitCode == 0 || force else { throw LabError("Links in \(name) could not be made: \(result.standardError)") }
    }

    /// Takes links up or down, all at practically the same time. Links that are not there are left out.
    func setLinks(_ links: [String], up: Bool) throws(LabError) {
        let control = try openSocket(inNamespaceOfProcess: processID) { clinux_datagram_socket() }
        defer { close(control) }
        for link in links {
            let code = clinux_set_link_up(control, link, up ? 1 : 0)
            guard code >= 0 || code == -ENODEV else {
                throw LabError("Link \(link) in \(name) could not be changed: \(String(cString: strerror(-code))).")
            }
        }
    }
}
