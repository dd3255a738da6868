import Drivers
import FakeKernel
import Glibc
import KernelInterface
import Testing

/// Whose process it is that has a daemon's paths among its words.
@Suite struct StrangerTests {
    private static let directory = Bench.state + "/ha_confs/1"
    private static let configuration = directory + "/keepalived.conf"
    private static let start = ["sh", "-c", "setsid keepalived -f \"$1\"", "keepalived-start", configuration, directory + "/1.pid"]

    private func daemon(_ command: [String]) -> DaemonConfiguration {
        DaemonConfiguration(
            key: "\(command.contains("keepalived-start") ? "keepalived" : command[0])/1", namespace: NamespaceName("qdhcp-1"),
            command: command,
            processIDFile: Self.directory + "/1.pid", mark: Self.configuration, directory: Self.directory)
    }

    private func host(_ daemon: DaemonConfiguration?) -> HostConfiguration {
        var builder = HostBuilder()
        builder.network(1)
        builder.dhcp(1)
        if let daemon { builder.host.daemons[daemon.key] = daemon }
        return builder.host
    }

    /// Which of these processes are still there when an agent that found them has started a daemon and stopped it again.
    private func survivors(_ daemon: DaemonConfiguration, _ processes: [(command: [String], isInside: Bool)]) throws -> [Int] {
        let bench = Bench()
        _ = bench.reconciler.apply(host(nil), .full)
        let ids = processes.map { bench.kernel.spawn($0.command, in: $0.isInside ? daemon.namespace : nil) }
        // Somebody else has the daemon's number by now.
        try bench.kernel.writeFile(daemon.processIDFile, "\(ids[0])\n")
        let report = bench.reconciler.apply(host(daemon), .full)
        #expect(report.daemonActions == [DaemonAction(daemon.key, .started)] && report.failures.isEmpty)
        #expect(bench.reconciler.apply(host(nil), .changed).daemonActions == [DaemonAction(daemon.key, .stopped)])
        return ids.indices.filter { bench.kernel.process(id: ids[$0]) != nil }
    }

    @Test(
        "A stranger's process that was told a daemon's path is neither taken for the daemon nor ended",
        arguments: [["keepalived", "-n", "-f", configuration], start])
    func strangers(_ command: [String]) throws {
        let strangers: [(command: [String], isInside: Bool)] = [
            (["vim", Self.configuration], false), (["tail", "-f", Self.configuration], false), (["tail", "-f", Self.configuration], true),
            (["sh", "-c", "cat \(Self.configuration)"], true), (["keepalived", "-t", "-f", Self.configuration], false),
            (["sh", "-c", ": \"$1\"", "backup", Self.configuration], true),
        ]
        #expect(try survivors(daemon(command), strangers) == Array(strangers.indices))
    }

    @Test("What an earlier agent left is ended: the daemon, its children, a start that was under way, also of a program with another file")
    func strays() throws {
        let strays: [(command: [String], isInside: Bool)] = [
            (["vim", Self.configuration], true), (["/usr/sbin/keepalived", "-n", "-f", Self.configuration], true),
            (["/opt/.keepalived-wrapped", "-n", "-f", Self.configuration], true),
            (["sh", "-c", "another script", "keepalived-start", Self.configuration], true),
            (["keepalived", "-n", "-f", "/elsewhere/keepalived.conf"], true),
        ]
        #expect(try survivors(daemon(Self.start), strays) == [0, 4])
    }
}
