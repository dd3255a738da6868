import APISchema
import NetworkModel
import Store

/// What a request says about the segment of a network: the provider attributes.
struct SegmentRequest {
    var type: String
    var physicalNetwork: String?
    var segmentationID: Int?

    /// Nil when the request names none of them: the server chooses.
    init?(_ request: ResourceRequest<Network>) throws {
        let type = try request.value("provider:network_type", as: String.self)
        physicalNetwork = try request.value("provider:physical_network", as: String?.self) ?? nil
        segmentationID = try request.value("provider:segmentation_id", as: Int?.self) ?? nil
        guard type != nil || physicalNetwork != nil || segmentationID != nil else { return nil }
        guard let type else { throw APIError.invalidInput("network_type required") }
        self.type = type
    }

    init(type: String) { self.type = type }
}

extension Verb {
    /// Random VNIs that are tried before the range is searched from its start.
    private static let maximumRandomTries = 10
    private static let vlanIDs = 1...4094
    private static let vxlanIDs = 1...16_777_215

    /// Gives the network what carries it. The row in `segment_allocations` keeps it from being given twice.
    func allocateSegment(_ network: inout Network, _ segment: SegmentRequest) throws {
        guard let type = NetworkType(rawValue: segment.type) else {
            throw APIError.invalidInput("network_type value '\(segment.type)' not supported")
        }
        network.type = type
        switch type {
        case .local:
            guard segment.physicalNetwork == nil else {
                throw APIError.invalidInput("physical_network prohibited for local provider network")
            }
            guard segment.segmentationID == nil else {
                throw APIError.invalidInput("segmentation_id prohibited for local provider network")
            }
        case .flat: try allocateFlat(&network, segment)
        case .vlan: try allocateVLAN(&network, segment)
        case .vxlan: try allocateVXLAN(&network, segment)
        }
    }

    private func allocateFlat(_ network: inout Network, _ segment: SegmentRequest) throws {
        guard let physicalNetwork = segment.physicalNetwork else {
            throw APIError.invalidInput("physical_network required for flat provider network")
        }
        if let known = settings.flatPhysicalNetworks, !known.contains(physicalNetwork) {
            throw APIError.invalidInput("physical_network '\(physicalNetwork)' unknown for flat provider network")
        }
        guard segment.segmentationID == nil else { throw APIError.invalidInput("segmentation_id prohibited for flat provider network") }
        network.physicalNetwork = physicalNetwork
        guard try takeSegment(network, 0) else { throw APIError.flatNetworkInUse(physicalNetwork) }
    }

    private func allocateVLAN(_ network: inout Network, _ segment: SegmentRequest) throws {
        guard let physicalNetwork = segment.physicalNetwork ?? settings.vlanRanges.keys.sorted().first else {
            guard segment.segmentationID == nil else {
                throw APIError.invalidInput("segmentation_id requires physical_network for VLAN provider network")
            }
            throw APIError.noNetworkAvailable()
        }
        network.physicalNetwork = physicalNetwork
        if let id = segment.segmentationID {
            guard Self.vlanIDs.contains(id) else {
                throw APIError.invalidInput(
                    "segmentation_id out of range (\(Self.vlanIDs.lowerBound) through \(Self.vlanIDs.upperBound))")
            }
            network.segmentationID = id
            guard try takeSegment(network, id) else { throw APIError.vlanIDInUse(id, physicalNetwork) }
            return
        }
        guard let range = settings.vlanRanges[physicalNetwork] else {
            throw APIError.invalidInput("physical_network '\(physicalNetwork)' unknown for VLAN provider network")
        }
        try takeFreeSegment(&network, range)
    }

    private func allocateVXLAN(_ network: inout Network, _ segment: SegmentRequest) throws {
        guard segment.physicalNetwork == nil else { throw APIError.invalidInput("provider:physical_network specified for vxlan network") }
        if let id = segment.segmentationID {
            guard Self.vxlanIDs.contains(id) else {
                throw APIError.invalidInput(
                    "segmentation_id out of range (\(Self.vxlanIDs.lowerBound) through \(Self.vxlanIDs.upperBound))")
            }
            network.segmentationID = id
            guard try takeSegment(network, id) else { throw APIError.tunnelIDInUse(id) }
            return
        }
        try takeFreeSegment(&network, settings.vxlanRange)
    }

    private func takeFreeSegment(_ network: inout Network, _ range: ClosedRange<Int>) throws {
        var generator = random
        for _ in 0..<Self.maximumRandomTries {
            let id = Int.random(in: range, using: &generator)
            network.segmentationID = id
            if try takeSegment(network, id) { return }
        }
        // Nearly full: the first number that is not followed by its neighbour.
        for id in try freeSegments(network, range) {
            network.segmentationID = id
            if try takeSegment(network, id) { return }
        }
        throw APIError.noNetworkAvailable()
    }

    /// The start of the range and the numbers behind allocated ones, as far as they are free.
    private func freeSegments(_ network: Network, _ range: ClosedRange<Int>) throws -> [Int] {
        let used = try transaction.rows(
            "SELECT segmentation_id FROM segment_allocations WHERE network_type = ? AND physical_network = ? AND segmentation_id >= ? "
                + "AND segmentation_id <= ? ORDER BY segmentation_id",
            [network.type.columnValue, .text(network.physicalNetwork ?? ""), .integer(range.lowerBound), .integer(range.upperBound)])
        let taken = Set(used.compactMap { $0[0].integer })
        guard taken.count < range.count else { return [] }
        return range.lazy.filter { !taken.contains($0) }.prefix(Self.maximumRandomTries).map { $0 }
    }

    private func takeSegment(_ network: Network, _ id: Int) throws -> Bool {
        try transaction.insertIfAbsent(
            table: "segment_allocations", columns: ["network_type", "physical_network", "segmentation_id", "network_id"],
            values: [network.type.columnValue, .text(network.physicalNetwork ?? ""), .integer(id), network.id.columnValue])
    }
}
