import APISchema
import AccessPolicy
import NetworkModel
import Store

extension Segment: ManagedResource {
    public static var policyParents: [PolicyParent] { [PolicyParent("network", column: "network_id", Network.self)] }

    public static func create(_ request: ResourceRequest<Segment>, in verb: Verb) throws -> Segment { try verb.createSegment(request) }

    public static func update(_ segment: Segment, _ request: ResourceRequest<Segment>, in verb: Verb) throws -> Segment {
        var segment = segment
        try request.assign(to: &segment)
        try verb.save(&segment)
        return segment
    }

    public static func delete(_ segment: Segment, in verb: Verb) throws { try verb.deleteSegment(segment) }
}

extension Verb {
    /// In their order.
    func segments(of networkID: ResourceID) throws -> [Segment] {
        try list(Segment.self, where: "network_id", networkID).sorted { $0.index < $1.index }
    }

    @discardableResult
    func insertSegment(_ carrier: NetworkCarrier, of network: Network, index: Int, _ request: ResourceRequest<Segment>? = nil) throws
        -> Segment
    {
        var segment = Segment(id: newID(), networkID: network.id, carrier: carrier)
        try request?.assign(to: &segment)
        segment.index = index
        open(&segment)
        try transaction.insert(segment)
        return segment
    }

    fileprivate func createSegment(_ request: ResourceRequest<Segment>) throws -> Segment {
        guard let networkID = try request.value("network_id", as: ResourceID.self) else { throw Network.notFound("None") }
        var network = try visible(Network.self, networkID)
        let known = try segments(of: network.id)
        guard known.count < SegmentRequest.maximumCount else {
            throw APIError.invalidInput("a network has at most \(SegmentRequest.maximumCount) segments")
        }
        let carrier = try allocateCarrier(
            SegmentRequest(
                type: request.value("network_type", as: String.self) ?? "",
                physicalNetwork: request.value("physical_network", as: String?.self) ?? nil,
                segmentationID: request.value("segmentation_id", as: Int?.self) ?? nil), for: network)
        network.furtherCarriers.append(carrier)
        try checkCarriers(of: network)
        try save(&network)
        return try insertSegment(carrier, of: network, index: (known.last?.index ?? -1) + 1, request)
    }

    fileprivate func deleteSegment(_ segment: Segment) throws {
        let subnets = try list(Subnet.self, where: "segment_id", segment.id)
        guard subnets.isEmpty else {
            let ids = subnets.map(\.id.description).joined(separator: ", ")
            throw APIError.segmentInUse(segment.id, "The segment is still associated with subnet(s) \(ids)")
        }
        var network = try existing(Network.self, segment.networkID)
        let left = try segments(of: network.id).filter { $0.id != segment.id }
        guard let first = left.first else { throw APIError.segmentInUse(segment.id, "It is the only segment of its network") }
        let users = try list(Port.self, where: "network_id", network.id).filter { port in
            try !port.hostID.isEmpty && carrier(of: network, on: port.hostID) == segment.carrier
        }
        guard users.isEmpty else {
            let ids = users.map(\.id.description).joined(separator: ", ")
            throw APIError.segmentInUse(segment.id, "The segment is still associated with port(s) \(ids)")
        }
        network.carrier = first.carrier
        network.furtherCarriers = left.dropFirst().map(\.carrier)
        try release(segment.carrier)
        try save(&network)
        try transaction.delete(Segment.self, segment.id)
    }

    // MARK: Subnets of segments

    /// Checks the segment that a request gives a subnet (`segment_id`), and sets it.
    ///
    /// - Parameter current: the subnet before an update.
    func applySegment(_ request: ResourceRequest<Subnet>, to subnet: inout Subnet, of network: Network, current: Subnet? = nil) throws {
        if request.contains("segment_id") { subnet.segmentID = try request.value("segment_id", as: ResourceID?.self) ?? nil }
        guard current == nil || current?.segmentID != subnet.segmentID else { return }
        let others = try subnets(of: network).filter { $0.id != subnet.id }
        if let segmentID = subnet.segmentID {
            let segment = try visible(Segment.self, segmentID)
            guard segment.networkID == network.id else {
                throw APIError.invalid(
                    "NetworkIdsDontMatch",
                    "The subnet's network id, '\(network.id)', doesn't match the network_id of segment '\(segmentID)'")
            }
        }
        let isMixed = others.contains { ($0.segmentID == nil) != (subnet.segmentID == nil) }
        guard !isMixed, current == nil || others.isEmpty else {
            throw APIError.invalid(
                "SubnetsNotAllAssociatedWithSegments",
                "All of the subnets on network '\(network.id)' must either all be associated with segments or all not associated with any "
                    + "segment.")
        }
        guard let current else { return }
        guard current.segmentID == nil else {
            throw APIError.invalid(
                "SubnetSegmentAssociationChangeNotAllowed",
                "A subnet that is already associated with a segment cannot have its segment association changed.")
        }
        guard network.furtherCarriers.isEmpty else {
            throw APIError.invalid(
                "NoUpdateSubnetWhenMultipleSegmentsOnNetwork",
                "The network '\(network.id)' has multiple segments, it is only possible to associate an existing subnet with a segment on "
                    + "networks with a single segment.")
        }
    }

    /// Where a port of the network may have addresses: on a network whose subnets belong to segments, in those of the segment that its host
    /// reaches. A port without a host may have those that it asks for, and what serves the whole network any.
    func subnetsInReach(of port: Port, _ subnets: [Subnet]) throws -> [Subnet] {
        guard subnets.contains(where: { $0.segmentID != nil }), !port.hostID.isEmpty else { return subnets }
        let isServed = !DeviceOwner.isNetworkOwned(port.deviceOwner) || port.deviceOwner == DeviceOwner.dhcp
        guard isServed, let network = try find(Network.self, port.networkID) else { return subnets }
        guard let carrier = try carrier(of: network, on: port.hostID),
            let segment = try segments(of: network.id).first(where: { $0.carrier == carrier })
        else {
            throw APIError.conflict(
                "HostNotConnectedToAnySegment",
                "Host \(port.hostID) is not connected to any segments on routed provider network '\(network.id)'.  It should be connected "
                    + "to one.")
        }
        return subnets.filter { $0.segmentID == nil || $0.segmentID == segment.id }
    }
}

extension APIError {
    fileprivate static func segmentInUse(_ id: ResourceID, _ reason: String) -> APIError {
        .conflict("SegmentInUse", "Segment '\(id)' cannot be deleted: \(reason).")
    }
}
