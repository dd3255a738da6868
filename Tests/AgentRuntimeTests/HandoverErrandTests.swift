import Dispatch
import Election
import FakeKernel
import KernelInterface
import Logging
import Synchronization
import TestSupport
import Testing

@testable import AgentRuntime

@Suite("What the election wants filtered at once")
struct HandoverErrandTests {
    /// Takes scripts only, the first of them not before it is let through.
    private final class ScriptKernel: NetworkKernel {
        let scripts = Mutex<[String]>([])
        let isRefusing = Mutex(false)
        let gate = DispatchSemaphore(value: 0)

        func perform(_ operation: KernelOperation) throws(KernelError) {
            guard case .applyFirewall(let script, nil) = operation else { return }
            if scripts.withLock({ $0.isEmpty }) { _ = gate.wait(timeout: .now() + 60) }
            let refuses = isRefusing.withLock { $0 }
            scripts.withLock { $0.append(script) }
            if refuses { throw KernelError(code: 1, "apply a ruleset") }
        }

        func namespaces() throws(KernelError) -> Set<NamespaceName> { [] }
        func links(in namespace: NamespaceName?) throws(KernelError) -> [Link] { [] }
        func addresses(in namespace: NamespaceName?) throws(KernelError) -> Set<LinkAddress> { [] }
        func routes(in namespace: NamespaceName?) throws(KernelError) -> Set<Route> { [] }
        func rules(in namespace: NamespaceName?) throws(KernelError) -> Set<RoutingRule> { [] }
        func forwardingEntries(in namespace: NamespaceName?) throws(KernelError) -> Set<ForwardingEntry> { [] }
        func neighbours(in namespace: NamespaceName?) throws(KernelError) -> Set<Neighbour> { [] }
        func sysctl(_ path: String, in namespace: NamespaceName?) throws(KernelError) -> String { "" }
        func firewallTables(in namespace: NamespaceName?) throws(KernelError) -> Set<String> { [] }
        func firewallContents(in namespace: NamespaceName?) throws(KernelError) -> [String: FirewallContents] { [:] }
        func firewallGeneration(in namespace: NamespaceName?) throws(KernelError) -> UInt32 { 1 }
    }

    private static func errands(_ kernel: ScriptKernel) -> RouterErrands {
        let queue = DispatchQueue(label: "test.urgent")
        return RouterErrands(
            kernel: kernel, processes: FakeKernel(), settings: AgentBench.settings, logger: Logger(label: "test"),
            urgently: { work in queue.async(execute: work) })
    }

    private static func sense(_ done: @escaping @Sendable (ElectionErrand) -> Void) -> ElectionSense {
        ElectionSense(
            news: AsyncStream { $0.finish() }, update: { _ in }, note: { _, _ in }, watch: { _ in }, isStripDue: { _ in true },
            noteDone: done, stop: {})
    }

    private static let asked: [ElectionErrand] =
        (1...50).map { .mute(id($0), device: "tap\($0)", milliseconds: 500) } + [.deafen(id(5), device: "tap5", milliseconds: 1200)]

    @Test("It hears of each filter when the kernel has it, and what waits meanwhile shares a script")
    func done() async throws {
        let kernel = ScriptKernel()
        let done = Mutex<Set<ElectionErrand>>([])
        let errands = Self.errands(kernel)
        let sense = Self.sense { errand in done.withLock { _ = $0.insert(errand) } }
        for errand in Self.asked { errands.run(errand, for: sense) }
        #expect(done.withLock { $0.isEmpty })
        kernel.gate.signal()
        #expect(await poll { done.withLock { $0 } == Set(Self.asked) })
        // The first, those that came while it was under way, and none for itself.
        #expect(kernel.scripts.withLock { $0.count } <= 2)
    }

    @Test("It hears nothing of a filter that the kernel refuses")
    func refused() async throws {
        let kernel = ScriptKernel()
        kernel.isRefusing.withLock { $0 = true }
        kernel.gate.signal()
        let done = Mutex<Set<ElectionErrand>>([])
        let errands = Self.errands(kernel)
        let sense = Self.sense { errand in done.withLock { _ = $0.insert(errand) } }
        errands.run(Self.asked[0], for: sense)
        #expect(await poll { kernel.scripts.withLock { $0.count } == 1 })
        kernel.isRefusing.withLock { $0 = false }
        // Scripts are done one after the other.
        errands.run(Self.asked[1], for: sense)
        #expect(await poll { !done.withLock { $0.isEmpty } })
        #expect(done.withLock { $0 } == [Self.asked[1]])
    }
}
