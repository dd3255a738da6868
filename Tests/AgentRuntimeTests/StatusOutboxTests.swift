import Foundation
import HostModel
import NetworkModel
import Testing

@testable import AgentRuntime

@Suite("What waits to be reported")
struct StatusOutboxTests {
    /// `APIContext.maximumBodyBytes` of the server: a larger report would be refused for ever, and the host be taken for dead.
    private static let serverLimitBytes = 1 << 20
    private static let registration = HostStatus.Registration(
        startID: "a", tunnelAddress: nil, physicalNetworks: [:], stateDirectory: "/var/lib/neutrino")

    private func id(_ number: Int) -> ResourceID { ResourceID(rawValue: UInt128(number)) }

    @Test("A host with 50,000 ports says all of them, in reports that the server takes")
    func manyPorts() throws {
        var outbox = StatusOutbox()
        for number in 0..<25_000 {
            for component in [HostStatus.Component.l2, .dhcp] {
                outbox.add(HostStatus.PortReport(portID: id(number), component: component, state: .failed, revision: .max))
            }
        }
        var seen = 0
        while outbox.isUrgent {
            let status = outbox.take(Self.registration)
            try #require(!status.ports.isEmpty)
            #expect(try JSONEncoder().encode(status).count < Self.serverLimitBytes)
            seen += status.ports.count
        }
        #expect(seen == 50_000)
    }

    @Test("Nor do the failures of a thousand routers make a report that is too long")
    func manyFailures() throws {
        var outbox = StatusOutbox()
        // Each is written with a backslash before it.
        let sentence = StatusOutbox.fit(String(repeating: "\"", count: 3 * StatusOutbox.maximumSentenceBytes))
        outbox.set(failures: Array(repeating: sentence, count: 2 * StatusOutbox.maximumFailures))
        for number in 0..<1000 {
            outbox.add(HostStatus.RouterReport(routerID: id(number), state: .unknown, failure: sentence, isFailureExternal: true))
        }
        outbox.add(HostStatus.PortReport(portID: id(1), component: .l2, state: .up, revision: 1))
        var seen = 0
        while outbox.isUrgent {
            let status = outbox.take(Self.registration)
            try #require(!status.routers.isEmpty || !status.ports.isEmpty)
            #expect(try JSONEncoder().encode(status).count < Self.serverLimitBytes)
            seen += status.routers.count + status.ports.count
        }
        #expect(seen == 1001)
    }

    @Test("What could not be sent goes with the next report, beside what was left")
    func restored() {
        var outbox = StatusOutbox()
        for number in 0..<5000 { outbox.add(HostStatus.PortReport(portID: id(number), component: .l2, state: .up, revision: 1)) }
        let lost = outbox.take(Self.registration)
        outbox.add(HostStatus.PortReport(portID: id(0), component: .l2, state: .down, revision: 1))
        outbox.restore(lost)
        var reports: [HostStatus.PortReport] = []
        while outbox.isUrgent { reports += outbox.take(Self.registration).ports }
        #expect(reports.count == 5000)
        #expect(reports.first { $0.portID == id(0) }?.state == .down)
    }
}
