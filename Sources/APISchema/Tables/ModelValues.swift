import Addressing
import NetworkModel

// How the values of NetworkModel look to clients and in rows.

/// A word of a fixed list.
public protocol WordAttributeValue: TextAttributeValue, RawRepresentable where RawValue == String {}

extension WordAttributeValue {
    public var description: String { rawValue }
    public init?(text: String) { self.init(rawValue: text) }
    public static func refusal(_ text: String) -> String { "'\(text)' is not a valid value" }
}

extension NetworkType: WordAttributeValue {}
extension ResourceStatus: WordAttributeValue {}
extension IPv6Mode: WordAttributeValue {}
extension RuleDirection: WordAttributeValue {}
extension AgentType: WordAttributeValue {
    /// In either case: Neutron's MySQL compares so, and clients ask for the type `DHCP Agent`.
    public static func filterValue(_ text: String) -> ColumnValue? {
        allCases.first { $0.rawValue.lowercased() == text.lowercased() }?.columnValue
    }
}
extension DataPlaneStatus: WordAttributeValue {}
extension AddressAllocation: WordAttributeValue {}

extension InterfaceAddress: TextAttributeValue {
    /// A plain address is a prefix of its full length.
    public init?(text: String) {
        if let whole = InterfaceAddress(text) {
            self = whole
        } else if let prefix = IPPrefix(text) {
            self.init(prefix.address, prefixLength: prefix.length)
        } else {
            return nil
        }
    }
    public static func refusal(_ text: String) -> String { "'\(text)' is not a valid IP subnet" }
}

extension Timestamp: TextAttributeValue {
    public init?(text: String) { self.init(text) }
    public static func refusal(_ text: String) -> String { "'\(text)' is not a valid timestamp" }
}

/// The family of a rule as `ethertype` has it.
public enum EtherType: String, WordAttributeValue {
    case ipv4 = "IPv4"
    case ipv6 = "IPv6"
}

extension IPVersion {
    var etherType: EtherType {
        get { self == .v4 ? .ipv4 : .ipv6 }
        set { self = newValue == .ipv4 ? .v4 : .v6 }
    }
}

extension FixedIP: JSONAttributeValue {
    public func write(to writer: inout JSONWriter) {
        writer.object {
            $0.key("subnet_id")
            subnetID.write(to: &$0)
            $0.key("ip_address")
            address.write(to: &$0)
        }
    }
    public init(json: JSONValue) throws(InvalidValue) {
        self.init(subnetID: try ResourceID(json: json["subnet_id"] ?? .null), address: try IPAddress(json: json["ip_address"] ?? .null))
    }
    public static func elements(ofKept text: String) -> [FixedIP]? {
        KeptList.elements(of: text) { list in
            guard list.skip("{\"subnet_id\":\""), let subnetID = list.id(), list.skip("\",\"ip_address\":\""),
                let address = list.word().flatMap({ IPAddress($0) }), list.skip("\"}")
            else { return nil }
            return FixedIP(subnetID: subnetID, address: address)
        }
    }
}

extension AddressPair: JSONAttributeValue {
    public func write(to writer: inout JSONWriter) {
        writer.object {
            $0.key("ip_address")
            $0.string(text)
            $0.key("mac_address")
            mac.write(to: &$0)
        }
    }
    public init(json: JSONValue) throws(InvalidValue) {
        let text = try String(json: json["ip_address"] ?? .null)
        self.init(prefix: try IPPrefix(json: .string(text)), mac: try MACAddress(json: json["mac_address"] ?? .null), text: text)
    }
}

extension ExtraDHCPOption: JSONAttributeValue {
    public func write(to writer: inout JSONWriter) {
        writer.object {
            $0.key("opt_name")
            $0.string(name)
            $0.key("opt_value")
            $0.string(value)
            $0.key("ip_version")
            version.write(to: &$0)
        }
    }
    public init(json: JSONValue) throws(InvalidValue) {
        self.init(
            name: try String(json: json["opt_name"] ?? .null), value: try String(json: json["opt_value"] ?? .null),
            version: try IPVersion(json: json["ip_version"] ?? 4))
    }
}

extension StaticRoute: JSONAttributeValue {
    public func write(to writer: inout JSONWriter) {
        writer.object {
            $0.key("destination")
            destination.write(to: &$0)
            $0.key("nexthop")
            nextHop.write(to: &$0)
        }
    }
    public init(json: JSONValue) throws(InvalidValue) {
        self.init(destination: try IPPrefix(json: json["destination"] ?? .null), nextHop: try IPAddress(json: json["nexthop"] ?? .null))
    }
}

extension IPRange: JSONAttributeValue {
    public func write(to writer: inout JSONWriter) {
        writer.object {
            $0.key("start")
            first.write(to: &$0)
            $0.key("end")
            last.write(to: &$0)
        }
    }
    public init(json: JSONValue) throws(InvalidValue) {
        let first = try IPAddress(json: json["start"] ?? .null)
        let last = try IPAddress(json: json["end"] ?? .null)
        guard let range = IPRange(first, last) else { throw InvalidValue("'\(first)-\(last)' is not a valid range") }
        self = range
    }
}

extension ExternalGateway: JSONAttributeValue {
    /// As clients see it. The port's identity is not theirs to know, so the row adds it: see ``columnValue``.
    public func write(to writer: inout JSONWriter) { write(to: &writer, withPort: false) }

    public var columnValue: ColumnValue {
        var writer = JSONWriter()
        write(to: &writer, withPort: true)
        return .text(writer.text)
    }

    func write(to writer: inout JSONWriter, withPort: Bool) {
        writer.object {
            writeEntryMembers(to: &$0)
            $0.key("qos_policy_id")
            qosPolicyID.write(to: &$0)
            if withPort {
                $0.key("port_id")
                portID.write(to: &$0)
            }
        }
    }

    /// As an entry of `external_gateways`.
    func writeEntry(to writer: inout JSONWriter) {
        writer.object {
            writeEntryMembers(to: &$0)
        }
    }

    private func writeEntryMembers(to writer: inout JSONWriter) {
        writer.key("network_id")
        networkID.write(to: &writer)
        writer.key("external_fixed_ips")
        fixedIPs.write(to: &writer)
        writer.key("enable_snat")
        writer.bool(isSNATEnabled)
    }

    public init(json: JSONValue) throws(InvalidValue) {
        self.init(
            networkID: try ResourceID(json: json["network_id"] ?? .null), portID: try ResourceID(json: json["port_id"] ?? .null),
            isSNATEnabled: try Bool(json: json["enable_snat"] ?? true), fixedIPs: try [FixedIP](json: json["external_fixed_ips"] ?? []),
            qosPolicyID: try ResourceID?(json: json["qos_policy_id"] ?? .null))
    }
}

/// A gateway in a row, with its port.
struct KeptGateway: JSONAttributeValue {
    var gateway: ExternalGateway

    init(_ gateway: ExternalGateway) { self.gateway = gateway }
    init(json: JSONValue) throws(InvalidValue) { gateway = try ExternalGateway(json: json) }
    func write(to writer: inout JSONWriter) { gateway.write(to: &writer, withPort: true) }
}

/// A rule inside its group's row: kept as its own table shows it, which names every column.
extension SecurityGroupRule: JSONAttributeValue {
    public func write(to writer: inout JSONWriter) { Self.table.write(self, to: &writer) }

    public init(json: JSONValue) throws(InvalidValue) {
        self = .blank
        for column in Self.table.columns {
            let value: ColumnValue =
                switch json[column.name] ?? .null {
                case .null: .null
                case .string(let text): .text(text)
                case .integer(let number): .integer(number)
                case let other: .text(other.text)
                }
            guard column.load(&self, value) else { throw InvalidValue("the column \(column.name) of a rule is damaged") }
        }
    }
}
