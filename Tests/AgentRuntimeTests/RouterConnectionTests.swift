import Converters
import Dispatch
import FakeKernel
import HostModel
import KernelInterface
import Logging
import TestSupport
import Testing

@testable import AgentRuntime

@Suite("Connections that a change of a router ends")
struct RouterConnectionTests {
    private static func deletion(_ address: String) -> [String] { ["conntrack", "-D", "-d", address] }

    @Test("While it takes its time for one router, it is done for another, and each router's is done in its order")
    func lanes() async throws {
        let kernel = FakeKernel()
        let gate = DispatchSemaphore(value: 0)
        kernel.beforeStart { command in
            if command.last == "203.0.113.1" { gate.wait() }
        }
        for number in 1...2 { try kernel.perform(.addNamespace(RouterConverter.namespace(of: id(number)))) }
        let connections = RouterConnections(processes: kernel, stateDirectory: "/state", logger: Logger(label: "test"))
        func done() -> [[String]] { kernel.runningProcesses.sorted { $0.id < $1.id }.map(\.command) }

        let first = HostRouter(id: id(1))
        connections.end(of: first, commands: [Self.deletion("203.0.113.1"), Self.deletion("203.0.113.3")], mustCheck: false)
        connections.end(of: first, commands: [Self.deletion("203.0.113.4")], mustCheck: false)
        connections.end(of: HostRouter(id: id(2)), commands: [Self.deletion("203.0.113.2")], mustCheck: false)
        #expect(await poll { !done().isEmpty })
        #expect(done() == [Self.deletion("203.0.113.2")])
        gate.signal()
        #expect(await poll { done().count == 4 })
        #expect(done().dropFirst() == [Self.deletion("203.0.113.1"), Self.deletion("203.0.113.3"), Self.deletion("203.0.113.4")])
    }
}
