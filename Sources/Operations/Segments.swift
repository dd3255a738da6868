import APISchema
import NetworkModel
import Store

/// What a request says about the carrier of a network or of one of its segments.
struct SegmentRequest {
    var type: String
    /// Nil also where the request gives an empty name, as Terraform does for what it leaves open: Neutron takes it for none.
    private(set) var physicalNetwork: String?
    var segmentationID: Int?

    /// The provider attributes. Nil when the request names none of them: the server chooses.
    init?(_ request: ResourceRequest<Network>) throws {
        let type = try request.value("provider:network_type", as: String.self)
        physicalNetwork = try request.value("provider:physical_network", as: String?.self) ?? nil
        segmentationID = try request.value("provider:segmentation_id", as: Int?.self) ?? nil
        guard type != nil || physicalNetwork != nil || segmentationID != nil else { return nil }
        guard let type else { throw APIError.invalidInput("network_type required") }
        self.type = type
        physicalNetwork = Self.name(physicalNetwork)
    }

    init(type: String, physicalNetwork: String? = nil, segmentationID: Int? = nil) {
        self.type = type
        self.physicalNetwork = Self.name(physicalNetwork)
        self.segmentationID = segmentationID
    }

    /// An entry of the attribute `segments`.
    private init(_ entry: JSONValue) throws {
        do {
            let members = try Self.entryType.validate(entry)
            physicalNetwork = Self.name(members["provider:physical_network"]?.stringValue)
            segmentationID = members["provider:segmentation_id"]?.integerValue
            guard let type = members["provider:network_type"]?.stringValue else { throw APIError.invalidInput("network_type required") }
            self.type = type
        } catch let error as InvalidValue {
            throw APIError.invalidAttribute("segments", error.reason)
        }
    }

    private static func name(_ text: String?) -> String? { text?.isEmpty == true ? nil : text }

    private static let entryType = AttributeType.object([
        .init("provider:network_type", .string(maximum: 32)), .init("provider:physical_network", .nullable(.string(maximum: 64))),
        .init("provider:segmentation_id", .nullable(.integer(nil))),
    ])

    /// Segments of one network.
    static let maximumCount = 100

    /// The attribute `segments`; nil when the request has none.
    static func list(_ request: ResourceRequest<Network>) throws -> [SegmentRequest]? {
        guard let json = request["segments"], !json.isNull else { return nil }
        guard let entries = json.arrayValue, entries.count <= maximumCount else {
            throw APIError.invalidAttribute("segments", "'\(json.pythonText)' is not a list of at most \(maximumCount) segments")
        }
        guard !entries.isEmpty else { return nil }
        guard try SegmentRequest(request) == nil else {
            throw APIError.invalid(
                "SegmentsSetInConjunctionWithProviders", "Segments and provider values cannot both be set.")
        }
        let segments = try entries.map { try SegmentRequest($0) }
        // Two that leave their number to the server are two different ones.
        let whole = segments.filter { $0.segmentationID != nil || $0.type == NetworkType.flat.rawValue }
        guard Set(whole.map(\.key)).count == whole.count else {
            throw APIError.invalid("SegmentsContainDuplicateEntry", "Duplicate segment entry in request.")
        }
        return segments
    }

    private var key: [String] { [type, physicalNetwork ?? "", segmentationID.map(String.init) ?? ""] }
}

extension Verb {
    /// Random VNIs that are tried before the range is searched from its start.
    private static let maximumRandomTries = 10
    private static let vlanIDs = 1...4094
    private static let vxlanIDs = 1...16_777_215

    /// Gives a new network what carries it, with a row for the segment.
    func allocateSegment(_ network: inout Network, _ segment: SegmentRequest) throws {
        network.carrier = try allocateCarrier(segment, for: network)
        try insertSegment(network.carrier, of: network, index: 0)
    }

    /// The same of a network with several segments.
    func allocateSegments(_ network: inout Network, _ segments: [SegmentRequest]) throws {
        for (index, segment) in segments.enumerated() {
            guard index > 0 else {
                try allocateSegment(&network, segment)
                continue
            }
            network.furtherCarriers.append(try allocateCarrier(segment, for: network))
            try insertSegment(network.furtherCarriers[index - 1], of: network, index: index)
        }
        try checkCarriers(of: network)
    }

    /// Chooses what the request leaves open. The row in `segment_allocations` keeps it from being given twice.
    func allocateCarrier(_ segment: SegmentRequest, for network: Network) throws -> NetworkCarrier {
        guard let type = NetworkType(rawValue: segment.type) else {
            throw APIError.invalidInput("network_type value '\(segment.type)' not supported")
        }
        switch type {
        case .local:
            guard segment.physicalNetwork == nil else {
                throw APIError.invalidInput("physical_network prohibited for local provider network")
            }
            guard segment.segmentationID == nil else {
                throw APIError.invalidInput("segmentation_id prohibited for local provider network")
            }
            return NetworkCarrier(type: .local)
        case .flat: return try allocateFlat(network, segment)
        case .vlan: return try allocateVLAN(network, segment)
        case .vxlan: return try allocateVXLAN(network, segment)
        }
    }

    /// A host carries a network by the first segment that it reaches; tunnels reach every host, and would let no other segment have any.
    func checkCarriers(of network: Network) throws {
        guard !network.furtherCarriers.isEmpty else { return }
        guard let odd = network.carriers.first(where: { $0.type != .flat && $0.type != .vlan }) else { return }
        throw APIError.invalidInput(
            "a network with several segments has flat and vlan segments only, and no segment of type \(odd.type.rawValue)")
    }

    private func allocateFlat(_ network: Network, _ segment: SegmentRequest) throws -> NetworkCarrier {
        guard let physicalNetwork = segment.physicalNetwork else {
            throw APIError.invalidInput("physical_network required for flat provider network")
        }
        if let known = settings.flatPhysicalNetworks, !known.contains(physicalNetwork) {
            throw APIError.invalidInput("physical_network '\(physicalNetwork)' unknown for flat provider network")
        }
        guard segment.segmentationID == nil else { throw APIError.invalidInput("segmentation_id prohibited for flat provider network") }
        let carrier = NetworkCarrier(type: .flat, physicalNetwork: physicalNetwork)
        guard try take(carrier, for: network.id) else { throw APIError.flatNetworkInUse(physicalNetwork) }
        return carrier
    }

    private func allocateVLAN(_ network: Network, _ segment: SegmentRequest) throws -> NetworkCarrier {
        guard let id = segment.segmentationID else { return try allocateFreeVLAN(network, segment.physicalNetwork) }
        guard let physicalNetwork = segment.physicalNetwork else {
            throw APIError.invalidInput("segmentation_id requires physical_network for VLAN provider network")
        }
        guard Self.vlanIDs.contains(id) else {
            throw APIError.invalidInput("segmentation_id out of range (\(Self.vlanIDs.lowerBound) through \(Self.vlanIDs.upperBound))")
        }
        let carrier = NetworkCarrier(type: .vlan, physicalNetwork: physicalNetwork, segmentationID: id)
        guard try take(carrier, for: network.id) else { throw APIError.vlanIDInUse(id, physicalNetwork) }
        return carrier
    }

    private func allocateFreeVLAN(_ network: Network, _ physicalNetwork: String?) throws -> NetworkCarrier {
        let ranged = try rangedPhysicalNetworks()
        if let physicalNetwork, !ranged.contains(physicalNetwork) {
            throw APIError.invalidInput("physical_network '\(physicalNetwork)' unknown for VLAN provider network")
        }
        for name in physicalNetwork.map({ [$0] }) ?? ranged.sorted() {
            let carrier = NetworkCarrier(type: .vlan, physicalNetwork: name)
            if let free = try takeFree(carrier, for: network) { return free }
        }
        throw APIError.noNetworkAvailable()
    }

    private func allocateVXLAN(_ network: Network, _ segment: SegmentRequest) throws -> NetworkCarrier {
        guard segment.physicalNetwork == nil else { throw APIError.invalidInput("provider:physical_network specified for vxlan network") }
        guard let id = segment.segmentationID else {
            guard let free = try takeFree(NetworkCarrier(type: .vxlan), for: network) else { throw APIError.noNetworkAvailable() }
            return free
        }
        guard Self.vxlanIDs.contains(id) else {
            throw APIError.invalidInput("segmentation_id out of range (\(Self.vxlanIDs.lowerBound) through \(Self.vxlanIDs.upperBound))")
        }
        let carrier = NetworkCarrier(type: .vxlan, segmentationID: id)
        guard try take(carrier, for: network.id) else { throw APIError.tunnelIDInUse(id) }
        return carrier
    }

    /// A number of the ranges that the network's project may use: its own before those for all.
    private func takeFree(_ carrier: NetworkCarrier, for network: Network) throws -> NetworkCarrier? {
        let ranges = try segmentRanges(of: carrier, for: network.haProjectID ?? network.projectID)
        for range in ranges {
            if let taken = try takeFree(carrier, in: range, for: network.id) { return taken }
        }
        return nil
    }

    private func takeFree(_ carrier: NetworkCarrier, in range: ClosedRange<Int>, for networkID: ResourceID) throws -> NetworkCarrier? {
        var generator = random
        var carrier = carrier
        for _ in 0..<Self.maximumRandomTries {
            carrier.segmentationID = Int.random(in: range, using: &generator)
            if try take(carrier, for: networkID) { return carrier }
        }
        // Nearly full: the first numbers that nobody has.
        let taken = Set(try takenSegments(of: carrier, in: range).keys)
        guard taken.count < range.count else { return nil }
        for id in range.lazy.filter({ !taken.contains($0) }).prefix(Self.maximumRandomTries) {
            carrier.segmentationID = id
            if try take(carrier, for: networkID) { return carrier }
        }
        return nil
    }

    /// Numbers of the range that networks have, with the networks' projects.
    func takenSegments(of carrier: NetworkCarrier, in range: ClosedRange<Int>) throws -> [Int: String] {
        let rows = try transaction.rows(
            "SELECT s.segmentation_id, n.project_id FROM segment_allocations s LEFT JOIN networks n ON n.id = s.network_id "
                + "WHERE s.network_type = ? AND s.physical_network = ? AND s.segmentation_id >= ? AND s.segmentation_id <= ?",
            [
                carrier.type.columnValue, .text(carrier.physicalNetwork ?? ""), .integer(range.lowerBound), .integer(range.upperBound),
            ])
        return rows.reduce(into: [:]) { taken, row in
            if let id = row[0].integer { taken[id] = row[1].text ?? "" }
        }
    }

    private func take(_ carrier: NetworkCarrier, for networkID: ResourceID) throws -> Bool {
        try transaction.insertIfAbsent(
            table: "segment_allocations", columns: ["network_type", "physical_network", "segmentation_id", "network_id"],
            values: [
                carrier.type.columnValue, .text(carrier.physicalNetwork ?? ""), .integer(carrier.segmentationID ?? 0),
                networkID.columnValue,
            ])
    }

    func release(_ carrier: NetworkCarrier) throws {
        try transaction.execute(
            "DELETE FROM segment_allocations WHERE network_type = ? AND physical_network = ? AND segmentation_id = ?",
            [carrier.type.columnValue, .text(carrier.physicalNetwork ?? ""), .integer(carrier.segmentationID ?? 0)])
    }
}
