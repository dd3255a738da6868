/// The two families of addresses that networks carry.
public enum IPVersion: Int, Sendable, Hashable, Comparable {
    case v4 = 4
    case v6 = 6

    /// Bits in an address: 32 or 128.
    public var addressBits: Int { self == .v4 ? 32 : 128 }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// An IPv4 or IPv6 address. Every IPv4 address sorts before every IPv6 address.
public enum IPAddress: Hashable, Sendable, Comparable {
    case v4(IPv4Address)
    case v6(IPv6Address)

    public init?(_ text: some StringProtocol) {
        if let address = IPv4Address(text) {
            self = .v4(address)
        } else if let address = IPv6Address(text) {
            self = .v6(address)
        } else {
            return nil
        }
    }

    /// The address of a family with the given number; nil when the number does not fit.
    public init?(version: IPVersion, number: UInt128) {
        switch version {
        case .v4:
            guard let value = UInt32(exactly: number) else { return nil }
            self = .v4(IPv4Address(rawValue: value))
        case .v6:
            self = .v6(IPv6Address(rawValue: number))
        }
    }

    public var version: IPVersion {
        switch self {
        case .v4: .v4
        case .v6: .v6
        }
    }

    /// The address as a number, for arithmetic over ranges of one family.
    public var number: UInt128 {
        switch self {
        case .v4(let address): UInt128(address.rawValue)
        case .v6(let address): address.rawValue
        }
    }

    /// The octets in network order: 4 or 16.
    public var octets: [UInt8] {
        switch self {
        case .v4(let address): address.octets
        case .v6(let address): address.octets
        }
    }

    /// The address `offset` further on; nil past either end of the family.
    public func advanced(by offset: Int) -> IPAddress? {
        let magnitude = UInt128(offset.magnitude)
        let (number, overflow) =
            offset >= 0 ? number.addingReportingOverflow(magnitude) : number.subtractingReportingOverflow(magnitude)
        return overflow ? nil : IPAddress(version: version, number: number)
    }

    public var isMulticast: Bool {
        switch self {
        case .v4(let address): address.rawValue >> 28 == 0xE
        case .v6(let address): address.rawValue >> 120 == 0xFF
        }
    }

    public var isLoopback: Bool {
        switch self {
        case .v4(let address): address.rawValue >> 24 == 127
        case .v6(let address): address.rawValue == 1
        }
    }

    public var isUnspecified: Bool { number == 0 }

    public static func < (left: Self, right: Self) -> Bool {
        left.version == right.version ? left.number < right.number : left.version < right.version
    }
}

extension IPAddress: CustomStringConvertible {
    public var description: String {
        switch self {
        case .v4(let address): address.description
        case .v6(let address): address.description
        }
    }
}
