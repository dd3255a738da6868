import Addressing
import Converters
import Dispatch
import Election
import FakeKernel
import HostModel
import KernelInterface
import Logging
import NetworkModel
import ServiceProcesses
import Synchronization
import TestSupport
import Testing

@testable import AgentRuntime

@Suite("An agent and the election")
struct ElectionSenseTests {
    /// The election as the test plays it.
    private final class Election: Sendable {
        let news: AsyncStream<ElectionNews>
        let tell: AsyncStream<ElectionNews>.Continuation
        let notes = Mutex<[ResourceID: MemberState]>([:])
        let isStripDue = Mutex(true)
        let isAnnouncementDue = Mutex(true)
        let done = Mutex<[ElectionErrand]>([])
        private let runner = Mutex<(@Sendable (ElectionErrand) -> Void)?>(nil)

        func run(_ errand: ElectionErrand) {
            let run = runner.withLock { $0 }
            run?(errand)
        }

        init() { (news, tell) = AsyncStream.makeStream() }

        var sense: ElectionSense {
            ElectionSense(
                news: news, update: { _ in }, note: { id, state in self.notes.withLock { $0[id] = state } }, watch: { _ in },
                isStripDue: { _ in self.isStripDue.withLock { $0 } },
                isAnnouncementDue: { _ in self.isAnnouncementDue.withLock { $0 } },
                setErrandRunner: { run in self.runner.withLock { $0 = run } },
                noteDone: { errand in self.done.withLock { $0.append(errand) } }, stop: {})
        }
    }

    /// Holds up a cycle.
    private final class Gate: Sendable {
        private let state = Mutex((isClosed: false, isWaitedAt: false))
        private let semaphore = DispatchSemaphore(value: 0)

        var isWaitedAt: Bool { state.withLock { $0.isWaitedAt } }
        func close() { state.withLock { $0.isClosed = true } }

        func open() {
            state.withLock { $0.isClosed = false }
            semaphore.signal()
        }

        func pass() {
            guard state.withLock({ $0.isClosed }) else { return }
            state.withLock { $0.isWaitedAt = true }
            _ = semaphore.wait(timeout: .now() + 60)
        }
    }

    private static let namespace = RouterConverter.namespace(of: id(5))
    private static let device = ServiceLink.innerName(.redundancy, id(6))
    private static let primary = KeepalivedConfiguration.primaryAddress(virtualRouterID: 5, interface: device)

    private static func keepalived(of router: ResourceID, _ kernel: FakeKernel) -> ProcessStatus? {
        kernel.runningProcesses.first { $0.command.contains { $0.contains("ha_confs/\(router)/keepalived.conf") } }
    }

    private static func begin(_ bench: AgentBench, _ kernel: FakeKernel) async throws {
        let feed = try await bench.server.nextFeed()
        feed.send(network(1), router(5, haNetwork: 1, haPort: 6), router(7, haNetwork: 1, haPort: 8), .bookmark(revision: 3))
    }

    @Test("Addresses that a keepalived left which ended while no agent was here, and which does not start, are the election's business")
    func leftAddresses() async throws {
        let kernel = FakeKernel()
        try await AgentBench.run(kernel, election: Election().sense) { bench in
            try await Self.begin(bench, kernel)
            try await bench.eventually("keepalived") {
                Self.keepalived(of: id(5), kernel) != nil && Self.keepalived(of: id(7), kernel) != nil
            }
            try await bench.eventually("the report") { !bench.server.reports.flatMap(\.routers).isEmpty }
            await bench.stop()
            try await bench.ended()
        }
        try kernel.somebodyElse(.addAddress(Self.primary, Self.namespace))
        kernel.onStart { command in command.contains { $0.contains(id(5).description) } ? .fails("refused") : .runs }
        kernel.kill(process: try #require(Self.keepalived(of: id(5), kernel)?.id))
        let election = Election()
        try await AgentBench.run(kernel, election: election.sense) { bench in
            try await Self.begin(bench, kernel)
            try await bench.eventually("the note") { election.notes.withLock { $0[id(5)] } == .headless }
            try await bench.eventually("that of the other") { election.notes.withLock { $0[id(7)] } == .backup }
        }
    }

    @Test("Addresses that shall be taken away stay when the member became master meanwhile", arguments: [true, false])
    func strip(isDue: Bool) async throws {
        let kernel = FakeKernel()
        try kernel.perform(.addNamespace(Self.namespace))
        try kernel.perform(.addLink(Link(name: Self.device, kind: .bridge), Self.namespace))
        try kernel.perform(.addAddress(Self.primary, Self.namespace))
        let errands = Self.errands(kernel)
        guard case .put(.router(let member)) = router(5, haNetwork: 1, haPort: 6) else { return }
        errands.strip(id(5), member, isDue: { _ in isDue })
        // What is announced comes after it, on the same queue.
        let own = LinkAddress(link: "qr-1", address: interface("10.0.0.1/24"))
        try kernel.perform(.addLink(Link(name: "qr-1", kind: .bridge), Self.namespace))
        try kernel.perform(.addAddress(own, Self.namespace))
        errands.announce(id(5)) { _ in true }
        try await waitUntil { !kernel.announcements.isEmpty || ((try? kernel.addresses(in: Self.namespace)) ?? []).isEmpty }
        #expect(try kernel.addresses(in: Self.namespace).contains(Self.primary) == !isDue)
    }

    private func waitUntil(_ condition: @escaping @Sendable () -> Bool) async throws { #expect(await poll(condition)) }

    @Test("An announcement does not wait for the end of a cycle")
    func announcement() async throws {
        let kernel = FakeKernel()
        let election = Election()
        let gate = Gate()
        try await AgentBench.run(kernel, election: election.sense, watchNamespaces: { _ in gate.pass() }) { bench in
            try await Self.begin(bench, kernel)
            try await bench.eventually("keepalived") { Self.keepalived(of: id(5), kernel) != nil }
            try await bench.eventually("the report") { !bench.server.reports.flatMap(\.routers).isEmpty }
            try kernel.somebodyElse(.addLink(Link(name: "qr-1", kind: .bridge), Self.namespace))
            let address = LinkAddress(link: "qr-1", address: interface("10.0.0.1/24"))
            try kernel.somebodyElse(.addAddress(address, Self.namespace))
            gate.close()
            bench.linkChanges.yield()
            try await bench.eventually("a cycle that lasts") { gate.isWaitedAt }
            election.run(.announce(id(5)))
            try await bench.eventually("the announcement") { kernel.announcements.contains(address) }
            gate.open()
        }
    }

    private static func errands(_ kernel: FakeKernel) -> RouterErrands {
        let queue = DispatchQueue(label: "test.urgent")
        return RouterErrands(
            kernel: kernel, processes: kernel, settings: AgentBench.settings, logger: Logger(label: "test"),
            urgently: { work in queue.async(execute: work) })
    }

    @Test("A member that gave way while its announcement waited is not announced")
    func lateAnnouncement() async throws {
        let kernel = FakeKernel()
        let election = Election()
        let errands = Self.errands(kernel)
        let addresses = [(5, "qr-5"), (7, "qr-7")].map { number, link in
            (RouterConverter.namespace(of: id(number)), LinkAddress(link: link, address: interface("10.0.0.\(number)/24")))
        }
        for (namespace, address) in addresses {
            try kernel.perform(.addNamespace(namespace))
            try kernel.perform(.addLink(Link(name: address.link, kind: .bridge), namespace))
            try kernel.perform(.addAddress(address, namespace))
        }
        var sense = election.sense
        sense.isAnnouncementDue = { $0 != id(5) }
        errands.run(.announce(id(5)), for: sense)
        errands.run(.announce(id(7)), for: sense)
        try await waitUntil { kernel.announcements.contains(addresses[1].1) }
        #expect(!kernel.announcements.contains(addresses[0].1))
    }

    @Test("A keepalived that the election lets start before the agent hears of its end does not wait for a successor")
    func released() async throws {
        let kernel = FakeKernel()
        let election = Election()
        try await AgentBench.run(kernel, election: election.sense) { bench in
            try await Self.begin(bench, kernel)
            try await bench.eventually("both") { Self.keepalived(of: id(5), kernel) != nil && Self.keepalived(of: id(7), kernel) != nil }
            let held = try #require(Self.keepalived(of: id(5), kernel)?.id)
            let released = try #require(Self.keepalived(of: id(7), kernel)?.id)
            try await bench.eventually("the report") { !bench.server.reports.flatMap(\.routers).isEmpty }
            election.tell.yield(.restartDaemon(id(7)))
            // What comes later in the same stream was taken after it.
            election.tell.yield(.notified(id(7), line: "INSTANCE \"VR_5\" MASTER 200"))
            try await bench.eventually("that it was taken") {
                bench.server.reports.flatMap(\.routers).contains { $0.routerID == id(7) && $0.state == .active }
            }
            for process in [held, released] { kernel.kill(process: process) }
            try await bench.eventually("both again") {
                Self.keepalived(of: id(5), kernel).map { $0.id != held } == true
                    && Self.keepalived(of: id(7), kernel).map { $0.id != released } == true
            }
            // Processes are numbered as they start.
            let first = try #require(Self.keepalived(of: id(7), kernel)?.id)
            #expect(first < (try #require(Self.keepalived(of: id(5), kernel)?.id)))
        }
    }

    @Test("A daemon that starts or ends costs a look at its router, not at all of them")
    func looks() async throws {
        let kernel = FakeKernel()
        try await AgentBench.run(kernel) { bench in
            try await Self.begin(bench, kernel)
            try await bench.eventually("both") { Self.keepalived(of: id(5), kernel) != nil && Self.keepalived(of: id(7), kernel) != nil }
            try await bench.eventually("the report") { Set(bench.server.reports.flatMap(\.routers).map(\.routerID)).count == 2 }
            // No start is left whose end would be looked at.
            try await bench.eventually("the end of all starts") { bench.server.reports.last?.appliedRevision == 3 }
            kernel.clearLog()
            let old = try #require(Self.keepalived(of: id(5), kernel)?.id)
            kernel.kill(process: old)
            try await bench.eventually("it again") { Self.keepalived(of: id(5), kernel).map { $0.id != old } == true }
            let namespace = RouterConverter.namespace(of: id(5))
            try await bench.eventually("the look") { kernel.reads.contains { $0.contains("addresses") && $0.contains("\(namespace)") } }
            let other = RouterConverter.namespace(of: id(7))
            #expect(!kernel.reads.contains { $0.contains("addresses") && $0.contains("\(other)") }, "\(kernel.reads)")
        }
    }
}
