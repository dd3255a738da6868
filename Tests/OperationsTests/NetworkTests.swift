import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Operations
import Store
import Synchronization
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

    @Test("An empty name of a physical network is none, as Terraform sends it with the segments of a network")
    func emptyPhysicalNetwork() async throws {
        let cloud = try Cloud()
        for type in ["local", "vxlan"] {
            let attributes: [String: JSONValue] = ["provider:network_type": .string(type), "provider:physical_network": ""]
            #expect(try await cloud.network(attributes).physicalNetwork == nil)
            #expect(try await cloud.network(["segments": [.object(attributes)]]).physicalNetwork == nil)
        }
        let flat: [String: JSONValue] = ["provider:network_type": "flat", "provider:physical_network": ""]
        #expect(
            try await apiError { try await cloud.network(flat) }
                == .invalidInput("physical_network required for flat provider network"))
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

    /// Words whose low 24 bits never differ: identities made of them do, MAC addresses do not.
    private final class Words: Sendable {
        private let word = Mutex<UInt64>(0)

        func next() -> UInt64 {
            word.withLock { word in
                word += 1 << 24
                return word
            }
        }
    }

    @Test("A port for which no free MAC address is found is refused with 503")
    func exhaustedMACs() async throws {
        let (words, admin) = (Words(), Caller(projectID: "p1", isAdmin: true))
        let operations = Operations(
            store: try Backend.sqlite.makeStore(), settings: ServerSettings(),
            now: { Timestamp(secondsSince1970: 1_800_000_000) }, random: { words.next() })
        let network = try await operations.create(ResourceRequest<Network>.create(["name": "n"]), caller: admin)
        let request = try ResourceRequest<Port>.create(["network_id": .string(network.id.description)])
        _ = try await operations.create(request, caller: admin)
        let error = try await apiError { try await operations.create(request, caller: admin) }
        #expect(error?.status == 503 && error?.type == "NetworkMacAddressGenerationFailure")
        #expect(error?.message == "Unable to generate unique mac on network \(network.id).")
        #expect(try await operations.list(Port.self, ListQuery(), caller: admin).count == 1)
    }

    @Test("A constraint on another revision is refused by every action, and nothing is changed")
    func actionRevisions() async throws {
        let cloud = try Cloud()
        let (operations, admin) = (cloud.operations, cloud.admin)
        let stale = RevisionConstraint(revisionNumber: 77)
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network)
        let router = try await cloud.router()
        let pool = try await cloud.create(SubnetPool.self, ["name": "p", "prefixes": ["10.8.0.0/16"]])
        let group = try await cloud.create(AddressGroup.self, ["addresses": ["192.0.2.1/32"]])
        let policy = try await cloud.create(QoSPolicy.self, ["name": "q"])
        let port = try await cloud.port(on: network, ["device_owner": "compute:nova"])
        let (routerID, poolID, groupID) = (router.id.description, pool.id.description, group.id.description)
        let (networkID, portID, policyID) = (network.id.description, port.id.description, policy.id.description)
        let interface: [String: JSONValue] = ["subnet_id": .string(subnet.id.description)]
        let routes: [String: JSONValue] = ["router": ["routes": []]]
        let errors: [APIError?] = [
            try await apiError { try await operations.setTags(Network.self, networkID, ["a"], ifMatch: stale, caller: admin) },
            try await apiError { try await operations.addTags(Network.self, networkID, ["a"], ifMatch: stale, caller: admin) },
            try await apiError { try await operations.addTag(Network.self, networkID, "a", ifMatch: stale, caller: admin) },
            try await apiError { try await operations.removeTag(Network.self, networkID, "a", ifMatch: stale, caller: admin) },
            try await apiError { try await operations.removeTags(Network.self, networkID, ifMatch: stale, caller: admin) },
            try await apiError { try await operations.addRouterInterface(routerID, body: interface, ifMatch: stale, caller: admin) },
            try await apiError { try await operations.removeRouterInterface(routerID, body: interface, ifMatch: stale, caller: admin) },
            try await apiError { try await operations.addExtraRoutes(routerID, body: routes, ifMatch: stale, caller: admin) },
            try await apiError { try await operations.removeExtraRoutes(routerID, body: routes, ifMatch: stale, caller: admin) },
            try await apiError {
                try await operations.addPrefixes(poolID, body: ["prefixes": ["10.9.0.0/16"]], ifMatch: stale, caller: admin)
            },
            try await apiError {
                try await operations.removePrefixes(poolID, body: ["prefixes": ["10.8.0.0/16"]], ifMatch: stale, caller: admin)
            },
            try await apiError {
                try await operations.onboardSubnets(
                    poolID, body: ["network_id": .string(networkID)], ifMatch: stale, caller: admin)
            },
            try await apiError {
                try await operations.addAddresses(groupID, body: ["addresses": ["192.0.2.2/32"]], ifMatch: stale, caller: admin)
            },
            try await apiError {
                try await operations.removeAddresses(groupID, body: ["addresses": ["192.0.2.1/32"]], ifMatch: stale, caller: admin)
            },
            try await apiError {
                try await operations.createBinding(
                    ofPort: portID, ResourceRequest<PortBinding>.create(["host": "h"]), ifMatch: stale, caller: admin)
            },
            try await apiError { try await operations.activateBinding(ofPort: portID, to: "h", ifMatch: stale, caller: admin) },
            try await apiError { try await operations.deleteBinding(ofPort: portID, to: "h", ifMatch: stale, caller: admin) },
            try await apiError {
                try await operations.createRule(
                    ResourceRequest<DSCPMarkingRule>.create(["dscp_mark": 10]), policy: policyID, ifMatch: stale, caller: admin)
            },
        ]
        for (number, error) in errors.enumerated() {
            #expect(error?.status == 412 && error?.type == "RevisionNumberConstraintFailed", "\(number): \(String(describing: error))")
        }
        let revision = try await cloud.show(network).standard.revisionNumber
        #expect(errors[0]?.message == "Constrained to 77, but current revision is \(revision)")
        #expect(try await cloud.show(network).standard.tags == [])
        #expect(try await cloud.show(pool).prefixes == pool.prefixes)
        #expect(try await cloud.show(group).addresses == group.addresses)
        #expect(try await cloud.list(Port.self).count == 1)
        // At its revision it goes through.
        let current = RevisionConstraint(revisionNumber: try await cloud.show(network).standard.revisionNumber)
        #expect(try await operations.addTags(Network.self, networkID, ["b", "a"], ifMatch: current, caller: admin) == ["b", "a"])
        #expect(try await operations.addTags(Network.self, networkID, ["c", "a"], caller: admin) == ["c", "a"])
        #expect(try await cloud.show(network).standard.tags == ["a", "b", "c"])
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
