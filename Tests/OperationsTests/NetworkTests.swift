import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Operations
import Store
import TestSupport
import Testing

@Suite struct NetworkTests {
    @Test("A network gets a VNI of the configured range, the MTU that VXLAN leaves, and revision 1", arguments: Backend.allCases)
    func created(_ backend: Backend) async throws {
        let cloud = try Cloud(backend) { $0.vxlanRange = 100...101 }
        let first = try await cloud.network()
        let second = try await cloud.network()
        #expect(Set([first.segmentationID, second.segmentationID]) == [100, 101])
        #expect(first.mtu == 1450)
        #expect(first.type == .vxlan)
        #expect(first.projectID == "p1")
        #expect(first.standard.revisionNumber == 1)
        #expect(try await cloud.show(first) == first)
        let error = try await apiError { try await cloud.network() }
        #expect(error?.status == 503)
        #expect(error?.type == "NoNetworkAvailable")
        try await cloud.delete(first)
        #expect(try await cloud.network().segmentationID == first.segmentationID)
    }

    @Test("Provider attributes are checked, and a segment is given once")
    func segments() async throws {
        let cloud = try Cloud()
        let flat: [String: JSONValue] = ["provider:network_type": "flat", "provider:physical_network": "physnet1"]
        let network = try await cloud.network(flat)
        #expect(network.mtu == 1500)
        #expect(network.physicalNetwork == "physnet1")
        #expect(try await apiError { try await cloud.network(flat) }?.type == "FlatNetworkInUse")
        #expect(
            try await apiError { try await cloud.network(["provider:network_type": "flat"]) }
                == .invalidInput("physical_network required for flat provider network"))
        #expect(
            try await apiError { try await cloud.network(["provider:network_type": "gre"]) }
                == .invalidInput("network_type value 'gre' not supported"))
        _ = try await cloud.network(["provider:network_type": "vxlan", "provider:segmentation_id": 70000])
        let twice = try await apiError { try await cloud.network(["provider:network_type": "vxlan", "provider:segmentation_id": 70000]) }
        #expect(twice?.type == "TunnelIdInUse")
        #expect(twice?.message == "Unable to create the network. The tunnel ID 70000 is in use.")
        #expect(
            try await apiError { try await cloud.network(["mtu": 1451]) }
                == .invalidInput("Requested MTU is too big, maximum is 1450"))
        #expect(try await cloud.list(Network.self).count == 2)
    }

    @Test("A network whose ports are in use stays; DHCP ports go with it")
    func deletion() async throws {
        let cloud = try Cloud()
        try await cloud.report("h1")
        let network = try await cloud.network()
        _ = try await cloud.subnet(on: network)
        #expect(try await cloud.ports(ownedBy: DeviceOwner.dhcp).count == 1)
        let port = try await cloud.port(on: network)
        let error = try await apiError { try await cloud.delete(network) }
        #expect(error?.status == 409)
        #expect(error?.type == "NetworkInUse")
        #expect(
            error?.message
                == "Unable to complete operation on network \(network.id). There are one or more ports still in use on the network, "
                + "id for these ports is: \(port.id).")
        try await cloud.delete(port)
        try await cloud.delete(network)
        #expect(try await cloud.list(Port.self).isEmpty)
        #expect(try await cloud.list(Subnet.self).isEmpty)
        #expect(try await apiError { try await cloud.show(network) }?.type == "NetworkNotFound")
    }

    @Test("A bulk request creates all or nothing", arguments: Backend.allCases)
    func bulk(_ backend: Backend) async throws {
        let cloud = try Cloud(backend) { $0.defaultQuotas["network"] = 2 }
        let requests = try (0..<3).map { try ResourceRequest<Network>.create(["name": .string("n\($0)")]) }
        let error = try await apiError { try await cloud.operations.create(requests, caller: cloud.admin) }
        #expect(error?.message == "Quota exceeded for resources: ['network'].")
        #expect(error?.status == 409)
        #expect(try await cloud.list(Network.self).isEmpty)
        #expect(try await cloud.operations.create(Array(requests.prefix(2)), caller: cloud.admin).map(\.name) == ["n0", "n1"])
    }

    @Test("Who is no administrator sees its own and shared networks, and may not give provider attributes")
    func visibility() async throws {
        let cloud = try Cloud()
        let own = try await cloud.network()
        let shared = try await cloud.network(["shared": true, "name": "shared"])
        let member = Caller(projectID: "p1", isAdmin: false)
        let stranger = Caller(projectID: "p2", isAdmin: false)
        #expect(Set(try await cloud.list(Network.self, as: member).map(\.id)) == [own.id, shared.id])
        #expect(try await cloud.list(Network.self, as: stranger).map(\.id) == [shared.id])
        let hidden = try await apiError { try await cloud.operations.show(Network.self, own.id.description, caller: stranger) }
        #expect(hidden?.message == "Network \(own.id) could not be found.")
        #expect(hidden?.status == 404)
        let refused = try await apiError { try await cloud.create(Network.self, ["provider:network_type": "vxlan"], as: member) }
        #expect(refused?.status == 403)
        #expect(refused?.message == "(rule:create_network and rule:create_network:provider:network_type) is disallowed by policy")
        #expect(try await apiError { try await cloud.delete(shared, as: stranger) }?.status == 403)
    }

    @Test("An update raises the revision number, and a constraint on another one is refused")
    func revisions() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        cloud.clock.advance(seconds: 5)
        let changed = try await cloud.update(network, ["name": "m"])
        #expect(changed.standard.revisionNumber == 2)
        #expect(changed.standard.updatedAt > network.standard.updatedAt)
        #expect(changed.standard.createdAt == network.standard.createdAt)
        let error = try await apiError {
            try await cloud.operations.delete(
                Network.self, network.id.description, ifMatch: RevisionConstraint(revisionNumber: 1), caller: cloud.admin)
        }
        #expect(error?.status == 412)
        #expect(error?.type == "RevisionNumberConstraintFailed")
        try await cloud.operations.delete(
            Network.self, network.id.description, ifMatch: RevisionConstraint(revisionNumber: 2), caller: cloud.admin)
    }

    @Test("Quotas of a project go before the defaults, and can be taken away")
    func quotas() async throws {
        let cloud = try Cloud()
        let set = try await cloud.operations.updateQuota(of: "p1", ["network": 1, "port": "-1"], caller: cloud.admin)
        #expect(set["network"] == 1)
        #expect(set["port"] == -1)
        #expect(set["subnet"] == 100)
        _ = try await cloud.network()
        #expect(try await apiError { try await cloud.network() }?.type == "OverQuota")
        let details = try await cloud.operations.quotaDetails(of: "p1", caller: cloud.admin)
        #expect(details["network"]?.used == 1)
        #expect(details["network"]?.limit == 1)
        #expect(try await cloud.operations.quotas(caller: cloud.admin).map(\.projectID) == ["p1"])
        try await cloud.operations.deleteQuota(of: "p1", caller: cloud.admin)
        _ = try await cloud.network()
        let error = try await apiError { try await cloud.operations.deleteQuota(of: "p1", caller: cloud.admin) }
        #expect(error?.message == "Quota for project p1 could not be found.")
        #expect(
            try await apiError { try await cloud.operations.updateQuota(of: "p1", ["cheese": 1], caller: cloud.admin) }?.message
                == "Unrecognized attribute(s) 'cheese'")
    }

    @Test("A project's name that no row may hold is refused, wherever it comes from")
    func longProject() async throws {
        let cloud = try Cloud()
        let long = String(repeating: "p", count: 256)
        let caller = Caller(projectID: long, isAdmin: true)
        let reason = "Invalid input for project_id. Reason: '\(long)' exceeds maximum length of 255."
        #expect(try await apiError { try await cloud.create(Network.self, ["name": "n"], as: caller) }?.message == reason)
        // A list makes the project's default group.
        #expect(try await apiError { try await cloud.list(SecurityGroup.self, as: caller) }?.message == reason)
        #expect(
            try await apiError { try await cloud.operations.updateQuota(of: long, ["network": 1], caller: cloud.admin) }?.message == reason)
        #expect(try await cloud.operations.quotas(caller: cloud.admin).isEmpty)
        _ = try await cloud.create(
            Network.self, ["name": "n"], as: Caller(projectID: String(repeating: "p", count: 255), isAdmin: true))
    }

    @Test("Texts and filters with the null character are the caller's mistake on both databases", arguments: Backend.allCases)
    func nullCharacter(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let refused = "Invalid input for name. Reason: the null character is not allowed in a string."
        #expect(try await apiError { try await cloud.network(["name": "a\u{0}b"]) }?.message == refused)
        let error = try await apiError { try ListQuery.parse([(name: "name", value: "a\u{0}b")], for: Network.self) }
        #expect(error?.message == refused)
        #expect(try await cloud.list(Network.self).isEmpty)
    }
}
