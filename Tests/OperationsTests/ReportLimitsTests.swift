import APISchema
import Addressing
import HostModel
import NetworkModel
import Operations
import TestSupport
import Testing

@Suite struct ReportLimitsTests {
    private func registration(_ change: (inout HostStatus.Registration) -> Void = { _ in }) -> HostStatus.Registration {
        var registration = HostStatus.Registration(
            startID: "1", tunnelAddress: nil, physicalNetworks: [:], stateDirectory: "/var/lib/neutrino", availabilityZone: "a")
        change(&registration)
        return registration
    }

    @Test("A report with a field that is too long or holds a null character is refused as a whole, by the field's name")
    func refused() async throws {
        let cloud = try Cloud()
        let id = ResourceID(rawValue: 1)
        let port = HostStatus.PortReport(portID: id, component: .l2, state: .failed, revision: 1, message: "a\0b")
        let reports: [(String, String, HostStatus)] = [
            ("h\0", "host", HostStatus(registration: registration())),
            (String(repeating: "h", count: 256), "host", HostStatus(registration: registration())),
            ("h1", "startID", HostStatus(registration: registration { $0.startID = String(repeating: "x", count: 129) })),
            ("h1", "stateDirectory", HostStatus(registration: registration { $0.stateDirectory = "/\0" })),
            ("h1", "availabilityZone", HostStatus(registration: registration { $0.availabilityZone = "" })),
            ("h1", "physicalNetworks", HostStatus(registration: registration { $0.physicalNetworks = ["p": "an-interface-too-long"] })),
            ("h1", "message", HostStatus(registration: registration(), ports: [port])),
            ("h1", "failures", HostStatus(registration: registration(), failures: [String(repeating: "x", count: 4097)])),
            (
                "h1", "conflicts",
                HostStatus(registration: registration(), conflicts: (0...100).map { .init(routerID: id, hostID: "h\($0)") })
            ),
        ]
        for (host, field, status) in reports {
            let error = try await apiError { try await cloud.operations.report(host: host, status: status) }
            #expect(error?.status == 400)
            #expect(error?.message.contains(field) == true, "\(field): \(error?.message ?? "none")")
        }
        #expect(try await cloud.list(Agent.self).isEmpty)
        try await cloud.operations.report(
            host: "h1", status: HostStatus(registration: registration(), conflicts: [.init(routerID: id, hostID: "h2")]))
        #expect(try await cloud.list(Agent.self).count == 3)
    }
}
