import APISchema
import AccessPolicy
import HostModel
import NetworkModel
import TestSupport
import Testing

@testable import Operations

@Suite struct SegmentTests {
    private func host(_ cloud: Cloud, _ name: String, _ physicalNetwork: String) async throws {
        try await cloud.operations.report(
            host: name,
            status: HostStatus(
                registration: HostStatus.Registration(
                    startID: "1", tunnelAddress: nil, physicalNetworks: [physicalNetwork: "eth1"], stateDirectory: "/var/lib/neutrino",
                    availabilityZone: nil),
                ports: [], routers: []))
    }

    private func entry(_ physicalNetwork: String, _ vlan: Int) -> JSONValue {
        [
            "provider:network_type": "vlan", "provider:physical_network": .string(physicalNetwork),
            "provider:segmentation_id": .integer(vlan),
        ]
    }

    @Test("A VLAN network gets another number while no port of it is bound, and gives its former one back", arguments: Backend.allCases)
    func renumbering(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await host(cloud, "h1", "p1")
        let network = try await cloud.create(Network.self, entry("p1", 10).objectValue ?? [:])
        let port = try await cloud.port(on: network)
        let changed = try await cloud.update(network, ["provider:segmentation_id": 11, "provider:physical_network": nil])
        #expect(changed.carrier == NetworkCarrier(type: .vlan, physicalNetwork: "p1", segmentationID: 11))
        let segments = try await cloud.list(Segment.self)
        #expect(segments.map(\.carrier) == [changed.carrier] && segments.first?.standard.revisionNumber == 2)
        let second = try await cloud.create(Network.self, entry("p1", 10).objectValue ?? [:])
        func refusal(_ network: Network, _ body: [String: JSONValue]) async throws -> APIError? {
            try await apiError { _ = try await cloud.update(network, body) }
        }
        #expect(try await refusal(second, ["provider:segmentation_id": 11])?.type == "VlanIdInUse")
        #expect(try await refusal(second, ["provider:segmentation_id": 4095])?.type == "InvalidInput")
        #expect(try await cloud.update(second, ["provider:segmentation_id": 10]).segmentationID == 10)
        #expect(
            try await refusal(second, ["provider:physical_network": "p2", "provider:segmentation_id": 12])
                == .invalidInput(
                    "Plugin does not support updating the following provider network attributes: provider:network_type, "
                        + "provider:physical_network"))
        _ = try await cloud.update(port, ["binding:host_id": "h1"])
        #expect(
            try await refusal(network, ["provider:segmentation_id": 12])
                == .invalidInput(
                    "Provider network attribute provider:segmentation_id cannot be updated if any port in the network has not the "
                        + "following binding:vif_type: unbound, binding_failed"))
        let tunnel = try await cloud.network()
        #expect(
            try await refusal(tunnel, ["provider:segmentation_id": 77]) == .invalidInput("Only VLAN type networks can be updated."))
        let several = try await cloud.network(["segments": [entry("p1", 20), entry("p2", 20)]])
        #expect(
            try await refusal(several, ["provider:segmentation_id": 21])
                == .invalidInput("Provider network attributes can be updated only in provider networks with a single segment."))
    }

    @Test("Every network has a segment; further ones are made, changed and deleted", arguments: Backend.allCases)
    func segments(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let network = try await cloud.network(["segments": [entry("p1", 10), entry("p2", 20)]])
        #expect(network.carriers.map(\.segmentationID) == [10, 20])
        let body: [String: JSONValue] = [
            "network_id": .init(network.id), "network_type": "vlan", "physical_network": "p3", "segmentation_id": 30, "name": "third",
        ]
        let third = try await cloud.create(Segment.self, body)
        #expect(third.name == "third" && third.index == 2 && third.standard.revisionNumber == 1)
        #expect(try await cloud.update(third, ["name": nil, "description": "x"]).standard.description == "x")
        let taken = try await apiError { try await cloud.create(Segment.self, body) }
        #expect(taken?.type == "VlanIdInUse")
        let tunnel = try await apiError {
            try await cloud.create(Segment.self, ["network_id": .init(network.id), "network_type": "vxlan"])
        }
        #expect(tunnel?.status == 400)
        let first = try #require(try await cloud.list(Segment.self).first { $0.carrier.segmentationID == 10 })
        try await cloud.delete(first)
        #expect(try await cloud.show(network).carriers.map(\.segmentationID) == [20, 30])
        _ = try await cloud.network(["segments": [entry("p1", 10)]])
        try await cloud.delete(network)
        #expect(try await cloud.list(Segment.self).map(\.carrier.segmentationID) == [10])
        #expect(try await cloud.list(Segment.self, as: Caller(projectID: "blue", isAdmin: false)).isEmpty)
    }

    @Test("Segments are refused with Neutron's errors") func refusals() async throws {
        let cloud = try Cloud()
        let both = try await apiError { try await cloud.network(["provider:network_type": "vxlan", "segments": [self.entry("p1", 1)]]) }
        #expect(both?.type == "SegmentsSetInConjunctionWithProviders")
        let twice = try await apiError { try await cloud.network(["segments": [self.entry("p1", 1), self.entry("p1", 1)]]) }
        #expect(twice?.type == "SegmentsContainDuplicateEntry" && twice?.message == "Duplicate segment entry in request.")
        let untyped = try await apiError { try await cloud.network(["segments": [["provider:physical_network": "p1"]]]) }
        #expect(untyped?.message == "Invalid input for operation: network_type required.")
        let network = try await cloud.network()
        let only = try #require(try await cloud.list(Segment.self).first)
        let last = try await apiError { try await cloud.delete(only) }
        #expect(last?.status == 409 && last?.type == "SegmentInUse")
        let subnet = try await cloud.subnet(on: network, "10.0.0.0/24", ["segment_id": .init(only.id)])
        let used = try await apiError { try await cloud.delete(only) }
        #expect(used?.message == "Segment '\(only.id)' cannot be deleted: The segment is still associated with subnet(s) \(subnet.id).")
        let mixed = try await apiError { try await cloud.subnet(on: network, "10.1.0.0/24") }
        #expect(mixed?.type == "SubnetsNotAllAssociatedWithSegments")
        let other = try await cloud.network()
        let foreign = try await apiError { try await cloud.subnet(on: other, "10.1.0.0/24", ["segment_id": .init(only.id)]) }
        #expect(foreign?.type == "NetworkIdsDontMatch")
        let changed = try await apiError { try await cloud.update(subnet, ["segment_id": nil]) }
        #expect(changed?.type == "SubnetSegmentAssociationChangeNotAllowed")
        let plain = try await cloud.subnet(on: other, "10.2.0.0/24")
        let segment = try #require(try await cloud.list(Segment.self).first { $0.networkID == other.id })
        #expect(try await cloud.update(plain, ["segment_id": .init(segment.id)]).segmentID == segment.id)
    }

    @Test("A port has addresses of the segment that its host reaches", arguments: Backend.allCases)
    func routed(_ backend: Backend) async throws {
        let (cloud, network) = try await routedCloud(backend)
        let far = try await cloud.port(on: network, ["binding:host_id": "h2"])
        #expect(far.fixedIPs.count == 1 && far.fixedIPs.first?.address.description.hasPrefix("10.20.") == true && far.vifType == "bridge")
        let near = try await cloud.port(on: network, ["binding:host_id": "h1"])
        #expect(near.fixedIPs.first?.address.description.hasPrefix("10.10.") == true)
        let cut = try await apiError { try await cloud.port(on: network, ["binding:host_id": "h3"]) }
        #expect(cut?.status == 409 && cut?.type == "HostNotConnectedToAnySegment")
    }

    /// Three hosts, of which two reach a segment of their own with a subnet, and the third none.
    private func routedCloud(_ backend: Backend) async throws -> (cloud: Cloud, network: Network) {
        let cloud = try Cloud(backend)
        for (name, physicalNetwork) in [("h1", "p1"), ("h2", "p2"), ("h3", "p3")] { try await host(cloud, name, physicalNetwork) }
        let network = try await cloud.network(["segments": [entry("p1", 10), entry("p2", 20)]])
        for segment in try await cloud.list(Segment.self).sorted(by: { $0.index < $1.index }) {
            let cidr = "10.\(segment.carrier.segmentationID ?? 0).0.0/24"
            _ = try await cloud.subnet(on: network, cidr, ["segment_id": .init(segment.id), "enable_dhcp": false])
        }
        return (cloud, network)
    }

    @Test("On a routed network a port without a host waits for it, and gets addresses where the host is", arguments: Backend.allCases)
    func deferred(_ backend: Backend) async throws {
        let (cloud, network) = try await routedCloud(backend)
        #expect(try await cloud.show(network).isAdjacent == false)
        #expect(try await cloud.list(Network.self).map(\.isAdjacent) == [false])
        #expect(try await cloud.show(try await cloud.network()).isAdjacent)
        let waiting = try await cloud.port(on: network)
        #expect(waiting.addressAllocation == .deferred && waiting.fixedIPs.isEmpty)
        let lost = try await apiError { try await cloud.update(waiting, ["binding:host_id": "h3"]) }
        #expect(lost?.status == 409 && lost?.type == "HostNotConnectedToAnySegment")
        let bound = try await cloud.update(waiting, ["binding:host_id": "h2"])
        #expect(bound.addressAllocation == .deferred && bound.fixedIPs.map { $0.address.description.hasPrefix("10.20.") } == [true])
        let moved = try await apiError { try await cloud.update(bound, ["binding:host_id": "h1"]) }
        #expect(moved?.type == "HostNotCompatibleWithFixedIps" && moved?.status == 409)
        #expect(
            moved?.message
                == "Host h1 is not connected to a segment where the existing fixed_ips on port \(bound.id) will function given the "
                + "routed network topology.")
        // Who names addresses gets them at once, and only there.
        let subnets = try await cloud.list(Subnet.self)
        let asked = try await cloud.port(on: network, ["fixed_ips": [["subnet_id": .init(try #require(subnets.first).id)]]])
        #expect(asked.addressAllocation == .immediate && asked.fixedIPs.count == 1)
        let both = JSONValue.array(subnets.map { ["subnet_id": .init($0.id)] })
        let torn = try await apiError { try await cloud.port(on: network, ["fixed_ips": both]) }
        #expect(torn?.type == "FixedIpsSubnetsNotOnSameSegment" && torn?.status == 400)
        // As little may a port become so.
        let later = try await apiError { try await cloud.update(asked, ["fixed_ips": both]) }
        #expect(later?.type == "FixedIpsSubnetsNotOnSameSegment" && later?.status == 400)
        #expect(try await cloud.update(asked, ["fixed_ips": [["subnet_id": .init(try #require(subnets.last).id)]]]).fixedIPs.count == 1)
    }

    @Test("The subnets of a routed network have routes to each other, which follow gateways and end with subnets")
    func peerRoutes() async throws {
        let (cloud, network) = try await routedCloud(.sqlite)
        func routes() async throws -> [String] {
            try await cloud.list(Subnet.self).sorted { $0.prefix.description < $1.prefix.description }.flatMap { subnet in
                subnet.hostRoutes.map { "\(subnet.prefix): \($0.destination) by \($0.nextHop)" }
            }
        }
        #expect(try await routes() == ["10.10.0.0/24: 10.20.0.0/24 by 10.10.0.1", "10.20.0.0/24: 10.10.0.0/24 by 10.20.0.1"])
        let first = try #require(try await cloud.list(Subnet.self).first { $0.prefix.description == "10.10.0.0/24" })
        let own: JSONValue = ["destination": "192.0.2.0/24", "nexthop": "10.10.0.9"]
        let changed = try await cloud.update(first, ["gateway_ip": "10.10.0.254", "allocation_pools": [], "host_routes": [own]])
        #expect(changed.hostRoutes.count == 2)
        #expect(
            try await routes() == [
                "10.10.0.0/24: 192.0.2.0/24 by 10.10.0.9", "10.10.0.0/24: 10.20.0.0/24 by 10.10.0.254",
                "10.20.0.0/24: 10.10.0.0/24 by 10.20.0.1",
            ])
        let second = try #require(try await cloud.list(Subnet.self).first { $0.prefix.description == "10.20.0.0/24" })
        try await cloud.delete(second)
        #expect(try await routes() == ["10.10.0.0/24: 192.0.2.0/24 by 10.10.0.9"])
        #expect(try await cloud.show(network).isAdjacent == false)
    }

    @Test("Ranges decide which numbers a project's networks get", arguments: Backend.allCases)
    func ranges(_ backend: Backend) async throws {
        let cloud = try Cloud(backend) { $0.vxlanRange = 1...3 }
        try await cloud.operations.registerDefaultSegmentRanges()
        try await cloud.operations.registerDefaultSegmentRanges()
        let standard = try #require(try await cloud.list(NetworkSegmentRange.self).first)
        #expect(standard.isDefault && standard.isShared && standard.available == [1, 2, 3])
        let fixed = try await apiError { try await cloud.delete(standard) }
        #expect(fixed?.type == "NetworkSegmentRangeDefaultReadOnly" && fixed?.status == 400)
        let body: [String: JSONValue] = [
            "network_type": "vxlan", "minimum": 2, "maximum": 3, "shared": false, "project_id": "blue", "name": "blue's",
        ]
        let range = try await cloud.create(NetworkSegmentRange.self, body)
        let overlapping = try await apiError { try await cloud.create(NetworkSegmentRange.self, body) }
        #expect(overlapping?.message == "Network segment range overlaps with range(s) with id \(range.id)")
        #expect(try await cloud.network().segmentationID == 1)
        let full = try await apiError { try await cloud.network() }
        #expect(full?.status == 503)
        let theirs = try await cloud.create(Network.self, [:], as: Caller(projectID: "blue", isAdmin: false))
        let number = try #require(theirs.segmentationID)
        let shown = try await cloud.show(range)
        #expect(shown.used == [number: "blue"] && shown.available == [2, 3].filter { $0 != number })
        let used = try await apiError { try await cloud.delete(range) }
        #expect(used?.status == 409 && used?.type == "NetworkSegmentRangeReferencedByProject")
        let shrunk = try await apiError { try await cloud.update(range, ["minimum": 10, "maximum": 11]) }
        #expect(shrunk?.type == "NetworkSegmentRangeReferencedByProject")
        #expect(try await cloud.update(range, ["maximum": 4]).available.contains(4))
        try await cloud.delete(theirs)
        try await cloud.delete(range)
        for (wrong, type) in [
            (["network_type": "gre"], "NetworkSegmentRangeNetTypeNotSupported"), (["network_type": "vlan"], "BadRequest"),
            (["minimum": 5], "NetworkTunnelRangeError"),
            (["network_type": "vlan", "physical_network": "p", "maximum": 5000], "NetworkVlanRangeError"),
        ] as [([String: JSONValue], String)] {
            let refused = try await apiError { try await cloud.create(NetworkSegmentRange.self, body.merging(wrong) { $1 }) }
            #expect(refused?.status == 400 && refused?.type == type, "\(wrong)")
        }
    }
}
