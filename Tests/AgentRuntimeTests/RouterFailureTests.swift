import Converters
import Dispatch
import FakeKernel
import HostModel
import NetworkModel
import Testing

@testable import AgentRuntime

@Suite("An agent and a router that cannot be realised")
struct RouterFailureTests {
    @Test("A keepalived that does not start is reported with its router, which recovers; another router is untouched")
    func keepalivedDoesNotStart() async throws {
        let kernel = FakeKernel()
        kernel.onStart { command in
            let isBroken = command.first == "sh" && command.contains { $0.contains(id(5).description) && $0.contains("keepalived") }
            return isBroken ? .fails("keepalived: refused") : .runs
        }
        try await AgentBench.run(kernel) { bench in
            let feed = try await bench.server.nextFeed()
            feed.send(network(1), router(5, haNetwork: 1, haPort: 6), router(7, haNetwork: 1, haPort: 8), .bookmark(revision: 3))
            try await bench.eventually("the pipe") { bench.pipes.isOpen(Self.pipe(of: id(7))) }
            Self.speak(id(7), bench)
            try await bench.eventually("the failure") { Self.failure(of: id(5), bench) != nil }
            #expect(Self.failure(of: id(5), bench)?.contains("keepalived: refused") == true)
            #expect(bench.server.reports.flatMap(\.routers).allSatisfy { $0.routerID == id(5) || $0.failure == nil })
            #expect(Self.isRunning(id(7), kernel) && !Self.isRunning(id(5), kernel))

            kernel.onStart { _ in .runs }
            Self.speak(id(5), bench)
            try await bench.eventually("that the router is well") {
                bench.server.reports.flatMap(\.routers).last { $0.routerID == id(5) }.map { $0.failure == nil } == true
            }
            #expect(Self.isRunning(id(5), kernel))
        }
    }

    @Test("While the keepalived of one router takes its time to start, what changes of another one is realised")
    func slowStart() async throws {
        let kernel = FakeKernel()
        let gate = DispatchSemaphore(value: 0)
        kernel.beforeStart { command in
            let isSlow = command.first == "sh" && command.contains { $0.contains(id(5).description) && $0.contains("keepalived") }
            if isSlow { gate.wait() }
        }
        try await AgentBench.run(kernel) { bench in
            let feed = try await bench.server.nextFeed()
            defer { gate.signal() }
            feed.send(network(1), router(5, haNetwork: 1, haPort: 6), router(7, haNetwork: 1, haPort: 8), .bookmark(revision: 3))
            try await bench.eventually("the keepalived of the other router") { Self.isRunning(id(7), kernel) }
            guard case .put(.router(var changed)) = router(7, haNetwork: 1, haPort: 8) else { return }
            changed.redundancy?.priority = 150
            feed.send(.put(.router(changed)), .bookmark(revision: 4))
            let file = RouterConverter.paths(of: id(7), settings: AgentBench.settings).configuration
            try await bench.eventually("the change") { (try? kernel.readFile(file))?.contains("priority 150") == true }
            #expect(!Self.isRunning(id(5), kernel))
            gate.signal()
            try await bench.eventually("the slow keepalived") { Self.isRunning(id(5), kernel) }
        }
    }

    /// Whether the router's keepalived is there.
    private static func isRunning(_ router: ResourceID, _ kernel: FakeKernel) -> Bool {
        kernel.runningProcesses.contains { $0.command.contains { $0.contains(router.description) && $0.contains("keepalived") } }
    }

    private static func failure(of router: ResourceID, _ bench: AgentBench) -> String? {
        bench.server.reports.flatMap(\.routers).last { $0.routerID == router }?.failure
    }

    private static func pipe(of router: ResourceID) -> String {
        RouterConverter.paths(of: router, settings: AgentBench.settings).notifyPipe
    }

    /// What keepalived does at its start.
    private static func speak(_ router: ResourceID, _ bench: AgentBench) {
        bench.pipes.write("INSTANCE \"VR_5\" BACKUP 200", to: pipe(of: router))
    }

    // MARK: When the server hears of it

    @Test("A keepalived that runs and says nothing is reported after five seconds, until it has spoken")
    func silent() {
        var failures = RouterFailures()
        #expect(update(&failures, .starting, at: 0).isEmpty)
        #expect(update(&failures, .silent, at: 100).isEmpty)
        #expect(update(&failures, .silent, at: 4999).isEmpty)
        #expect(update(&failures, .silent, at: 5000) == [id(1)])
        #expect(failures.sentence(of: id(1))?.hasPrefix("keepalived runs, but has not said") == true)
        #expect(update(&failures, .failing("refused"), at: 6000) == [id(1)])
        #expect(failures.sentence(of: id(1)) == "refused")
        #expect(update(&failures, nil, at: 7000).isEmpty)
        #expect(update(&failures, nil, at: 10_000) == [id(1)])
        #expect(failures.isEmpty)
    }

    private func update(
        _ failures: inout RouterFailures, _ finding: RouterFailures.Finding?, at now: Int, of router: Int = 1
    ) -> [ResourceID] {
        failures.update(finding.map { [id(router): $0] } ?? [:], routers: { _ in true }, now: now)
    }

    @Test("What passes within two seconds is not reported")
    func passing() {
        var failures = RouterFailures()
        #expect(update(&failures, .failing("refused"), at: 0).isEmpty)
        #expect(failures.nextLookMilliseconds(now: 0) == 2000)
        #expect(failures.isDoubtful(id(1)))
        #expect(update(&failures, .failing("refused"), at: 1999).isEmpty)
        #expect(update(&failures, nil, at: 2000).isEmpty)
        #expect(failures.nextLookMilliseconds(now: 2000) == 3000)
        #expect(update(&failures, nil, at: 5000).isEmpty)
        #expect(failures.isEmpty)
        #expect(failures.nextLookMilliseconds(now: 5000) == nil)
    }

    @Test("A daemon that lives for a moment with each start is reported once, and until it has run for three seconds")
    func flapping() {
        var failures = RouterFailures()
        #expect(update(&failures, .failing("ended soon"), at: 0).isEmpty)
        #expect(update(&failures, nil, at: 1000).isEmpty)
        #expect(update(&failures, .failing("ended soon"), at: 1100).isEmpty)
        #expect(update(&failures, .failing("ended soon"), at: 2000) == [id(1)])
        #expect(failures.sentence(of: id(1)) == "ended soon")
        for start in stride(from: 4000, to: 40_000, by: 4000) {
            #expect(update(&failures, nil, at: start).isEmpty)
            #expect(update(&failures, .starting, at: start + 2000).isEmpty)
            #expect(update(&failures, .failing("ended soon"), at: start + 2500).isEmpty)
        }
        #expect(update(&failures, .failing("refused"), at: 40_000).isEmpty, "both may be true by turns")
        #expect(update(&failures, .failing("refused"), at: 100_000) == [id(1)], "another reason")
        #expect(failures.sentence(of: id(1)) == "refused")
        #expect(update(&failures, nil, at: 101_000).isEmpty)
        #expect(update(&failures, nil, at: 104_000) == [id(1)])
        #expect(failures.sentence(of: id(1)) == nil)
    }

    @Test("A daemon that does nothing but start is reported after five seconds")
    func starting() {
        var failures = RouterFailures()
        #expect(update(&failures, .starting, at: 0).isEmpty)
        #expect(failures.nextLookMilliseconds(now: 0) == 5000)
        #expect(update(&failures, .starting, at: 4999).isEmpty)
        #expect(update(&failures, .starting, at: 5000) == [id(1)])
        #expect(failures.sentence(of: id(1)) == "a daemon of the router does not stay up")
    }

    @Test("A router that goes takes its failure along")
    func leaving() {
        var failures = RouterFailures()
        _ = update(&failures, .failing("refused"), at: 0)
        #expect(failures.update([:], routers: { _ in false }, now: 3000).isEmpty)
        #expect(failures.isEmpty)
    }
}
