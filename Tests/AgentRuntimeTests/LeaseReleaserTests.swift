import Converters
import Drivers
import FakeKernel
import HostModel
import KernelInterface
import Logging
import NetworkModel
import ServiceProcesses
import Testing

@testable import AgentRuntime

@Suite("Leases of ports that are gone")
struct LeaseReleaserTests {
    /// A network with DHCP, whose ports 5 and 6 hold leases as dnsmasq's file says.
    private final class Bench {
        static let wait = LeaseReleaser.firstLookMilliseconds
        let kernel = FakeKernel()
        let settings = AgentSettings(stateDirectory: "/state")
        private(set) var releaser: LeaseReleaser

        init() throws {
            var logger = Logger(label: "leases")
            logger.logLevel = .critical
            releaser = LeaseReleaser(processes: kernel, settings: settings, logger: logger)
            try kernel.perform(.addNamespace(DHCPConverter.namespace(id(1))))
            try write([5, 6])
        }

        func view(_ ports: [Int]) -> HostView {
            var view = HostView()
            for message in [network(1), dhcp(network: 1, port: 2)] { view.apply(message) }
            for number in ports {
                view.put(
                    .reservation(
                        HostReservation(
                            portID: id(number), networkID: id(1), mac: mac(number), addresses: [ip("10.0.0.\(number)")],
                            hostname: "host-\(number)", revision: 1)))
            }
            return view
        }

        func write(_ ports: [Int]) throws {
            try kernel.writeFile(
                DnsmasqConfiguration.leasesPath(directory: DHCPConverter.directory(id(1), settings)),
                ports.map { "1 \(mac($0)) 10.0.0.\($0) * *\n" }.joined())
        }

        /// Runs a cycle, and answers which addresses it released.
        func cycle(_ ports: [Int], now: Int, _ kinds: DaemonAction.Kind...) -> [String] { cycle(view(ports), now: now, kinds) }

        func cycle(_ view: HostView, now: Int, _ kinds: [DaemonAction.Kind] = []) -> [String] {
            let before = kernel.runningProcesses.count
            var report = ApplyReport()
            report.daemonActions = kinds.map { DaemonAction(DnsmasqRenderer.key(id(1).description), $0) }
            releaser.release(view, after: report, now: now)
            return kernel.runningProcesses.dropFirst(before).compactMap { $0.command.dropFirst(2).first }
        }
    }

    @Test("A release that nobody heard is sent again, ever more seldom, until the lease file shows none")
    func again() throws {
        let bench = try Bench()
        let wait = Bench.wait
        #expect(bench.cycle([5, 6], now: 0).isEmpty)
        #expect(bench.releaser.nextLookMilliseconds(now: 0) == nil)
        #expect(bench.cycle([6], now: 1000) == ["10.0.0.5"])
        #expect(bench.releaser.nextLookMilliseconds(now: 1000) == wait)
        // Whatever else wakes a cycle does not make it due.
        #expect(bench.cycle([6], now: 1001).isEmpty)
        #expect(bench.cycle([6], now: 1000 + wait) == ["10.0.0.5"])
        #expect(bench.releaser.nextLookMilliseconds(now: 1000 + wait) == 2 * wait)
        try bench.write([6])
        #expect(bench.cycle([6], now: 1000 + 3 * wait).isEmpty)
        #expect(bench.releaser.nextLookMilliseconds(now: 1000 + 3 * wait) == nil)
    }

    @Test("A look that is due is not put off by further ports that go")
    func churn() throws {
        let bench = try Bench()
        let wait = Bench.wait
        #expect(bench.cycle([5, 6], now: 0).isEmpty)
        #expect(bench.cycle([6], now: 0) == ["10.0.0.5"])
        #expect(bench.cycle([], now: wait - 1) == ["10.0.0.6"])
        #expect(bench.releaser.nextLookMilliseconds(now: wait - 1) == 1)
        #expect(bench.cycle([], now: wait).sorted() == ["10.0.0.5", "10.0.0.6"])
    }

    @Test("The lease of a port that is gone is released although another has its address now, and the other's own is not")
    func heirs() throws {
        let bench = try Bench()
        #expect(bench.cycle([5, 6], now: 0).isEmpty)
        try bench.kernel.writeFile(
            DnsmasqConfiguration.leasesPath(directory: DHCPConverter.directory(id(1), bench.settings)),
            "1 \(mac(9)) 10.0.0.5 * *\n1 \(mac(6)) 10.0.0.6 * *\n")
        #expect(bench.cycle([5, 6], now: 1, .restarted) == ["10.0.0.5"])
        try bench.write([5, 6])
        #expect(bench.cycle([5, 6], now: 1 + Bench.wait).isEmpty)
    }

    @Test("What dnsmasq keeps after all is given up until it is started again")
    func givenUp() throws {
        let bench = try Bench()
        #expect(bench.cycle([5, 6], now: 0).isEmpty)
        #expect(bench.cycle([6], now: 0) == ["10.0.0.5"])
        var now = 0
        for _ in 1..<LeaseReleaser.maximumLooks {
            now += try #require(bench.releaser.nextLookMilliseconds(now: now))
            #expect(bench.cycle([6], now: now) == ["10.0.0.5"])
        }
        now += try #require(bench.releaser.nextLookMilliseconds(now: now))
        #expect(bench.cycle([6], now: now).isEmpty)
        #expect(bench.releaser.nextLookMilliseconds(now: now) == nil)
        #expect(bench.cycle([6], now: now, .started) == ["10.0.0.5"])
    }

    @Test("A network whose DHCP leaves the host is looked at no more")
    func left() throws {
        let bench = try Bench()
        #expect(bench.cycle([5, 6], now: 0).isEmpty)
        #expect(bench.cycle([6], now: 0) == ["10.0.0.5"])
        #expect(bench.cycle(HostView(), now: Bench.wait).isEmpty)
        #expect(bench.releaser.nextLookMilliseconds(now: Bench.wait) == nil)
    }
}
