/// A closed range of addresses of one family, such as an allocation pool.
public struct IPRange: Hashable, Sendable {
    public let first: IPAddress
    public let last: IPAddress

    /// Nil when the families differ or the order is wrong.
    public init?(_ first: IPAddress, _ last: IPAddress) {
        guard first.version == last.version, first <= last else { return nil }
        self.first = first
        self.last = last
    }

    public var version: IPVersion { first.version }

    /// How many addresses the range has; the whole IPv6 space counts as `UInt128.max`.
    public var count: UInt128 {
        let (count, overflow) = (last.number - first.number).addingReportingOverflow(1)
        return overflow ? UInt128.max : count
    }

    public func contains(_ address: IPAddress) -> Bool {
        address.version == version && first <= address && address <= last
    }

    public func overlaps(_ other: IPRange) -> Bool {
        other.version == version && first <= other.last && other.first <= last
    }

    /// What is left of the range without one address: none, one or two ranges.
    public func removing(_ address: IPAddress) -> [IPRange] {
        guard contains(address) else { return [self] }
        let before = address.advanced(by: -1).flatMap { IPRange(first, $0) }
        let after = address.advanced(by: 1).flatMap { IPRange($0, last) }
        return [before, after].compactMap { $0 }
    }
}

extension IPRange: CustomStringConvertible {
    public var description: String { "\(first)-\(last)" }
}
