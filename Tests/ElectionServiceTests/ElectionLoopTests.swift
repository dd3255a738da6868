import Addressing
import CLinux
import Election
import Glibc
import NetworkModel
import Testing

@testable import ElectionService

/// On loopback addresses that nothing else has; raw sockets need root.
@Suite("The election's loop", .serialized, .enabled(if: geteuid() == 0, "raw sockets need root: run the tests as root"))
struct ElectionLoopTests {
    private static let local = IPAddress.v4(IPv4Address(127, 47, 90, 1))
    private static let id = ResourceID(rawValue: 7)

    private static func member(pipe: String, peer: IPAddress? = nil) -> ElectionMember {
        let peers = peer.map { ElectionRouter.Peer(hostID: "h2", address: .v4(IPv4Address(169, 254, 192, 2)), endpoint: $0, priority: 250) }
        return ElectionMember(
            router: ElectionRouter(
                id: id, localAddress: .v4(IPv4Address(169, 254, 192, 1)), priority: 254, peers: peers.map { [$0] } ?? [],
                advertisementIntervalMilliseconds: 1000),
            device: "tap-none", mac: MACAddress(rawValue: 0x02_00_00_00_00_02), virtualRouterID: 1, vrrpVersion: 3,
            password: nil, notifyPipe: pipe, gateway: nil)
    }

    /// What one run of a loop showed.
    private final class Outcome {
        var state: MemberState?
        var news: [ElectionNews] = []
        var forgotten: [ResourceID] = []
        var living: Set<IPAddress> = []
    }

    /// Runs a loop over lists of messages, each after one wait, and then until a condition holds, at most for five seconds, and over some last ones.
    private static func run(
        _ mail: [() -> [ElectionThread.Message]], until end: (ElectionLoop) -> Bool = { _ in true },
        finally last: [ElectionThread.Message] = []
    ) throws -> Outcome {
        let outcome = Outcome()
        let bell = try opened(clinux_event_descriptor(), "make an event descriptor")
        defer { close(bell) }
        let loop = try ElectionLoop(
            settings: ElectionSettings(), tunnelAddress: local, startID: 1, bell: bell, tell: { outcome.news.append($0) },
            forgotten: { outcome.forgotten.append($0) })
        func ring() {
            var one: UInt64 = 1
            _ = write(bell, &one, MemoryLayout<UInt64>.size)
        }
        var rest = mail[...]
        let limit = monotonicMilliseconds() + 5000
        var isEnding = false
        ring()
        loop.run {
            ring()
            if let next = rest.popFirst() { return next() }
            guard end(loop) || isEnding || monotonicMilliseconds() > limit else { return [] }
            defer { isEnding = true }
            return isEnding ? nil : last
        }
        outcome.state = loop.state(of: id)
        outcome.living = loop.living
        return outcome
    }

    private static func withPipe<Value>(_ body: (_ path: String, _ pipe: Int32) throws -> Value) throws -> Value {
        var template = Array("/tmp/election-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        let path = directory + "/notify.fifo"
        mkfifo(path, 0o600)
        let pipe = open(path, O_RDWR | O_NONBLOCK)
        defer {
            close(pipe)
            unlink(path)
            rmdir(directory)
        }
        return try body(path, pipe)
    }

    private static func say(_ state: String, _ pipe: Int32) {
        let line = Array("INSTANCE \"VR_1\" \(state) 254\n".utf8)
        _ = write(pipe, line, line.count)
    }

    @Test("What the agent saw of a member before it made it known counts")
    func seenBefore() throws {
        let outcome = try Self.run([{ [.member(Self.id, .backup), .update([Self.member(pipe: "/nonexistent")])] }])
        #expect(outcome.state == .backup)
    }

    @Test("What the agent saw does not count after keepalived's own word")
    func seenLate() throws {
        let outcome = try Self.withPipe { path, pipe in
            Self.say("MASTER", pipe)
            return try Self.run([{ [.update([Self.member(pipe: path)])] }, { [] }, { [] }, { [.member(Self.id, .backup)] }])
        }
        #expect(outcome.state == .master)
    }

    @Test("Of a pipe that nobody read for long the last state counts, and the agent hears every line")
    func history() throws {
        let outcome = try Self.withPipe { path, pipe in
            for _ in 0..<200 { for state in ["MASTER", "BACKUP"] { Self.say(state, pipe) } }
            return try Self.run([{ [.update([Self.member(pipe: path)])] }, { [] }, { [] }])
        }
        #expect(outcome.state == .backup)
        #expect(outcome.news.count == 400)
    }

    @Test("A pipe that is made after its member was made known is read as soon as its process is told of")
    func latePipe() throws {
        let outcome = try Self.withPipe { path, pipe in
            Self.say("BACKUP", pipe)
            let hidden = path + ".hidden"
            rename(path, hidden)
            return try Self.run([
                { [.update([Self.member(pipe: path)])] },
                {
                    rename(hidden, path)
                    return [.watch([Self.id: getpid()])]
                }, { [] }, { [] },
            ])
        }
        #expect(outcome.state == .backup)
    }

    @Test("A pipe that is made after its member was made known is read before anybody tells of a process")
    func expectedPipe() throws {
        let outcome = try Self.withPipe { path, pipe in
            Self.say("BACKUP", pipe)
            let hidden = path + ".hidden"
            rename(path, hidden)
            return try Self.run(
                [
                    { [.update([Self.member(pipe: path)])] },
                    {
                        rename(hidden, path)
                        return []
                    },
                ], until: { $0.state(of: Self.id) == .backup })
        }
        #expect(outcome.state == .backup)
    }

    @Test("A pipe that was made anew for a new process is the one that is read")
    func replacedPipe() throws {
        let outcome = try Self.withPipe { path, _ in
            var new: Int32 = -1
            defer { close(new) }
            return try Self.run([
                { [.update([Self.member(pipe: path)])] },
                {
                    unlink(path)
                    mkfifo(path, 0o600)
                    new = open(path, O_RDWR | O_NONBLOCK)
                    Self.say("BACKUP", new)
                    return [.watch([Self.id: getpid()])]
                }, { [] }, { [] },
            ])
        }
        #expect(outcome.state == .backup)
    }

    @Test("Where the agent saw addresses of a keepalived that does not run, the last word in its pipe does not make it master")
    func headlessDespiteHistory() throws {
        let outcome = try Self.withPipe { path, pipe in
            Self.say("MASTER", pipe)
            return try Self.run([
                { [.update([Self.member(pipe: path)])] }, { [] }, { [] }, { [.member(Self.id, .headless)] }, { [] },
            ])
        }
        #expect(outcome.state == .headless)
    }

    @Test(
        "Where the agent saw addresses of a keepalived that does not run, the member is taken for headless, and keepalived is started again"
    )
    func leftAddresses() throws {
        let outcome = try Self.run([{ [.member(Self.id, .headless), .update([Self.member(pipe: "/nonexistent")])] }, { [] }])
        #expect(outcome.state == .headless)
        #expect(outcome.news == [.restartDaemon(Self.id)])
    }

    @Test("The agent hears a line before what the election wants done because of it")
    func order() throws {
        let outcome = try Self.withPipe { path, pipe in
            Self.say("MASTER", pipe)
            return try Self.run([
                { [.update([Self.member(pipe: path)])] }, { [] },
                {
                    Self.say("FAULT", pipe)
                    return [.watch([Self.id: 1 << 23])]
                }, { [] }, { [] },
            ])
        }
        #expect(outcome.state == .fault || outcome.state == .headless)
        let lines = outcome.news.filter { if case .notified = $0 { true } else { false } }
        #expect(lines.count == 2)
    }

    @Test("Of a keepalived that became master and ended before anybody read that, its host's addresses are left, and it is no master")
    func lastWords() throws {
        let outcome = try Self.withPipe { path, pipe in
            Self.say("BACKUP", pipe)
            return try Self.run([
                { [.update([Self.member(pipe: path)])] }, { [] },
                {
                    Self.say("MASTER", pipe)
                    return [.watch([Self.id: 1 << 23])]
                }, { [] }, { [] },
            ])
        }
        #expect(outcome.state == .headless)
        #expect(outcome.news.filter { $0 == .restartDaemon(Self.id) }.count == 1)
    }

    @Test("A keepalived that was started again and has been backup is master when it says so, in however many lines at once")
    func startedAgain() throws {
        let outcome = try Self.withPipe { path, pipe in
            try Self.run([
                { [.member(Self.id, .backup), .update([Self.member(pipe: path)]), .watch([Self.id: 1 << 23])] },
                {
                    Self.say("BACKUP", pipe)
                    Self.say("MASTER", pipe)
                    return []
                }, { [] }, { [] },
            ])
        }
        #expect(outcome.state == .master)
    }

    @Test("Of a router that goes nothing is kept, nor of a peer's host that no router has any more")
    func goes() throws {
        let peer = IPAddress.v4(IPv4Address(127, 47, 90, 2))
        // The kernel answers for the peer: it is a host without an agent.
        let outcome = try Self.run(
            [{ [.update([Self.member(pipe: "/nonexistent", peer: peer)])] }], until: { $0.living == [peer] }, finally: [.update([])])
        #expect(outcome.news == [.peer(peer, isAlive: true)])
        #expect(outcome.living.isEmpty)
        #expect(outcome.forgotten == [Self.id])
    }

    @Test("A signal to a process that has ended reaches nobody, and one that runs gets it")
    func signals() {
        func start(_ words: [String]) -> (process: Int32, descriptor: Int32) {
            var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
            arguments.append(nil)
            defer { for argument in arguments { free(argument) } }
            let process = clinux_spawn(&arguments, -1, -1, -1)
            return (process, clinux_open_process(process))
        }
        let ended = start(["true"])
        waitpid(ended.process, nil, 0)
        #expect(clinux_signal_process(ended.descriptor, SIGKILL) == -ESRCH)
        let running = start(["sleep", "60"])
        #expect(clinux_signal_process(running.descriptor, SIGKILL) == 0)
        var status: Int32 = 0
        waitpid(running.process, &status, 0)
        #expect(status & 0x7F == SIGKILL)
        close(ended.descriptor)
        close(running.descriptor)
    }

    @Test("The end of a process is told once, however often the agent still names it")
    func endedProcess() throws {
        // No process has this id: the kernel's limit is 2^22.
        let watch = ElectionThread.Message.watch([Self.id: 1 << 23])
        let outcome = try Self.run([
            { [.member(Self.id, .backup), .update([Self.member(pipe: "/nonexistent")])] }, { [watch] }, { [watch] }, { [watch] },
        ])
        #expect(outcome.state == .fault)
        #expect(outcome.news == [.restartDaemon(Self.id)])
    }
}
