import APISchema
import AccessPolicy
import NetworkModel
import Store

extension NetworkSegmentRange: ManagedResource {

    public static func create(_ request: ResourceRequest<NetworkSegmentRange>, in verb: Verb) throws -> NetworkSegmentRange {
        let typeName = request["network_type"]?.stringValue ?? ""
        guard let type = NetworkType(rawValue: typeName), type == .vlan || type == .vxlan else {
            throw APIError.invalid(
                "NetworkSegmentRangeNetTypeNotSupported", "Network type \(typeName) does not support network segment ranges.")
        }
        var range = NetworkSegmentRange(id: verb.newID(), type: type, minimum: 1, maximum: 1)
        try request.assign(to: &range)
        let projectID = try request.value("project_id", as: String?.self) ?? nil
        range.ownerID = range.isShared ? nil : projectID ?? verb.caller.projectID
        if type == .vlan {
            guard let physicalNetwork = try request.value("physical_network", as: String?.self) ?? nil else {
                throw APIError.badRequest(
                    "network_segment_range",
                    "Network type vlan requires 'physical_network' to be specified while creating new range")
            }
            range.physicalNetwork = physicalNetwork
        }
        try verb.check(range)
        verb.open(&range)
        try verb.transaction.insert(range)
        return range
    }

    public static func update(
        _ current: NetworkSegmentRange, _ request: ResourceRequest<NetworkSegmentRange>, in verb: Verb
    ) throws -> NetworkSegmentRange {
        try verb.refuseDefault(current)
        var range = current
        try request.assign(to: &range)
        try verb.check(range)
        let used = try verb.takenSegments(of: current.carrier, in: current.numbers).keys
        guard used.allSatisfy({ range.numbers.contains($0) }) else { throw APIError.rangeReferenced(range.id) }
        try verb.save(&range)
        return range
    }

    public static func delete(_ range: NetworkSegmentRange, in verb: Verb) throws {
        try verb.refuseDefault(range)
        guard try verb.takenSegments(of: range.carrier, in: range.numbers).isEmpty else { throw APIError.rangeReferenced(range.id) }
        try verb.transaction.delete(NetworkSegmentRange.self, range.id)
    }

    public static func notFound(_ id: String) -> APIError {
        .notFound("NetworkSegmentRangeNotFound", "Network Segment Range \(id) could not be found.")
    }

    public static func shown(_ range: NetworkSegmentRange, in verb: Verb) throws -> NetworkSegmentRange {
        var range = range
        range.used = try verb.takenSegments(of: range.carrier, in: range.numbers)
        let used = range.used
        range.available = Array(range.numbers.lazy.filter { used[$0] == nil }.prefix(maximumShown))
        return range
    }

    /// Free numbers that a range shows: more than any range of VLANs has, fewer than those of tunnels could.
    static let maximumShown = 1 << 16

    fileprivate var numbers: ClosedRange<Int> { minimum...max(minimum, maximum) }
    fileprivate var carrier: NetworkCarrier { NetworkCarrier(type: type, physicalNetwork: physicalNetwork) }
}

extension Operations {
    /// Makes the rows of the ranges that the server's settings have, and takes those away that they have no more. Called when a server starts.
    public func registerDefaultSegmentRanges() async throws {
        try await write(.server) { verb in
            var wanted = verb.defaultSegmentRanges()
            for known in try verb.list(NetworkSegmentRange.self, where: "default", true) {
                if let index = wanted.firstIndex(where: { $0.id == known.id }) {
                    wanted.remove(at: index)
                } else {
                    try verb.transaction.delete(NetworkSegmentRange.self, known.id)
                }
            }
            for var range in wanted {
                verb.open(&range)
                try verb.transaction.insert(range)
            }
        }
    }
}

extension Verb {
    /// With identities that depend on their content only, so that servers with the same settings agree.
    fileprivate func defaultSegmentRanges() -> [NetworkSegmentRange] {
        let vlans: [(String?, ClosedRange<Int>)] = settings.vlanRanges.sorted { $0.key < $1.key }.map { (Optional($0.key), $0.value) }
        let tunnels: [(String?, ClosedRange<Int>)] = [(nil, settings.vxlanRange)]
        return (tunnels + vlans).map { physicalNetwork, numbers in
            let type: NetworkType = physicalNetwork == nil ? .vxlan : .vlan
            let name = "\(type.rawValue)/\(physicalNetwork ?? "")/\(numbers.lowerBound)-\(numbers.upperBound)"
            var range = NetworkSegmentRange(
                id: ResourceID(namespace: .dns, name: name), type: type, minimum: numbers.lowerBound, maximum: numbers.upperBound)
            range.isDefault = true
            range.physicalNetwork = physicalNetwork
            return range
        }
    }

    /// Physical networks with VLANs that the server may give out.
    func rangedPhysicalNetworks() throws -> Set<String> {
        let rows = try transaction.rows("SELECT DISTINCT physical_network FROM network_segment_ranges WHERE network_type = 'vlan'")
        return Set(settings.vlanRanges.keys).union(rows.compactMap { $0[0].text })
    }

    /// The numbers that a project's networks may get: those of its own ranges, then those of the settings and of the ranges for all, without
    /// what belongs to other projects.
    func segmentRanges(of carrier: NetworkCarrier, for projectID: String) throws -> [ClosedRange<Int>] {
        let known = try list(NetworkSegmentRange.self, where: "network_type", carrier.type).filter {
            $0.physicalNetwork == carrier.physicalNetwork && !$0.isDefault
        }
        let configured = carrier.type == .vxlan ? settings.vxlanRange : carrier.physicalNetwork.flatMap { settings.vlanRanges[$0] }
        let own = known.filter { !$0.isShared && $0.ownerID == projectID }.map(\.numbers)
        let foreign = known.filter { !$0.isShared && $0.ownerID != projectID }.map(\.numbers)
        let shared = [configured].compactMap { $0 } + known.filter(\.isShared).map(\.numbers)
        return own + foreign.reduce(shared) { ranges, taken in ranges.flatMap { $0.subtracting(taken) } }
    }

    fileprivate func refuseDefault(_ range: NetworkSegmentRange) throws(APIError) {
        guard range.isDefault else { return }
        throw .invalid(
            "NetworkSegmentRangeDefaultReadOnly",
            "Network Segment Range \(range.id) is a default segment range which could not be updated or deleted.")
    }

    fileprivate func check(_ range: NetworkSegmentRange) throws {
        let text = "\(range.minimum):\(range.maximum)"
        let word = range.type == .vlan ? "VLAN" : "tunnel"
        var reason: String?
        if range.minimum > range.maximum { reason = "End of \(word) range is less than start of \(word) range" }
        if range.maximum > (range.type == .vlan ? 4094 : 16_777_215) {
            reason = "\(range.maximum) is not a valid \(range.type == .vlan ? "VLAN tag" : "vxlan identifier")"
        }
        if let reason {
            throw range.type == .vlan
                ? APIError.invalid("NetworkVlanRangeError", "Invalid network VLAN range: '\(text)' - '\(reason)'.")
                : APIError.invalid("NetworkTunnelRangeError", "Invalid network tunnel range: '\(text)' - \(reason).")
        }
        let overlapping = try list(NetworkSegmentRange.self, where: "network_type", range.type).filter {
            $0.id != range.id && !$0.isDefault && $0.physicalNetwork == range.physicalNetwork && $0.numbers.overlaps(range.numbers)
        }
        guard overlapping.isEmpty else {
            let ids = overlapping.map(\.id.description).joined(separator: ", ")
            throw APIError.conflict("NetworkSegmentRangeOverlaps", "Network segment range overlaps with range(s) with id \(ids)")
        }
    }
}

extension ClosedRange<Int> {
    /// What is left before and behind the other range.
    func subtracting(_ other: ClosedRange<Int>) -> [ClosedRange<Int>] {
        guard overlaps(other) else { return [self] }
        var left: [ClosedRange<Int>] = []
        if lowerBound < other.lowerBound { left.append(lowerBound...(other.lowerBound - 1)) }
        if other.upperBound < upperBound { left.append((other.upperBound + 1)...upperBound) }
        return left
    }
}

extension APIError {
    fileprivate static func rangeReferenced(_ id: ResourceID) -> APIError {
        .conflict(
            "NetworkSegmentRangeReferencedByProject",
            "Network Segment Range \(id) is referenced by one or more project networks.")
    }
}
