import Addressing
import NetworkModel

/// The type of an attribute as clients see it: how a given value is checked and converted, with Neutron's texts.
public indirect enum AttributeType: Sendable, Hashable {
    /// Anything; the operation looks closer.
    case any
    case string(maximum: Int?)
    /// A text of printable characters without space at its ends: what things are called.
    case name(maximum: Int, mayBeEmpty: Bool = true)
    case boolean
    case integer(ClosedRange<Int>?)
    case uuid
    case ipAddress
    case cidr
    case macAddress
    /// `80` or `80:90`.
    case portRange
    case oneOf([String])
    /// A list of objects with `destination` and `nexthop`, without duplicates: `routes` of a router, `host_routes` of a subnet.
    case routes
    /// A list of objects with `subnet_id`, `ip_address` or both, in which no address is twice: what a port or a gateway asks for. A subnet may be named
    /// several times, for an address each.
    case fixedIPs
    /// A list without duplicates.
    case list(of: AttributeType)
    case object([Member])
    case nullable(AttributeType)
    /// Null is a way to say that value, which is shown then: Neutron's converters of null (`convert_none_to_empty_list`).
    case nullMeans(JSONValue, AttributeType)

    /// A member of an object.
    public struct Member: Sendable, Hashable {
        public var name: String
        public var type: AttributeType
        public var isRequired: Bool

        public init(_ name: String, _ type: AttributeType, required: Bool = false) {
            self.name = name
            self.type = type
            isRequired = required
        }
    }

    /// Items of one list: far more than any resource needs, few enough for checks that compare each with each.
    public static let maximumListCount = 1000

    /// The type of what is not null.
    var unwrapped: AttributeType {
        switch self {
        case .nullable(let type), .nullMeans(_, let type): type.unwrapped
        default: self
        }
    }

    /// Checks a value and gives it back converted (`"true"` becomes `true`, a MAC address lower case).
    public func validate(_ value: JSONValue) throws(InvalidValue) -> JSONValue {
        switch self {
        case .any: return value
        case .string(let maximum): return try Self.validateString(value, maximum)
        case .name(let maximum, let mayBeEmpty): return try Self.validateName(value, maximum, mayBeEmpty: mayBeEmpty)
        case .boolean: return .bool(try Bool(json: value))
        case .integer(let range): return try Self.validateInteger(value, range)
        case .uuid: return .string(try ResourceID(json: value).description)
        case .ipAddress: return .string(try IPAddress(json: value).description)
        case .cidr: return try Self.validateCIDR(value)
        case .macAddress: return try Self.validateMAC(value)
        case .portRange: return .string(try PortRange(json: value).description)
        case .oneOf(let words):
            guard let text = value.stringValue, words.contains(text) else {
                throw InvalidValue("'\(value.pythonText)' is not in \(JSONValue.array(words.map(JSONValue.string)).pythonText)")
            }
            return value
        case .routes: return try Self.validateRoutes(value)
        case .fixedIPs: return try Self.validateFixedIPs(value)
        case .list(let element): return try Self.validateList(value, element)
        case .object(let members): return try Self.validateObject(value, members)
        case .nullable(let type): return value.isNull ? .null : try type.validate(value)
        case .nullMeans(let meant, let type): return value.isNull ? meant : try type.validate(value)
        }
    }

    static let nullCharacterRefusal = "the null character is not allowed in a string"

    private static func validateString(_ value: JSONValue, _ maximum: Int?) throws(InvalidValue) -> JSONValue {
        let text = try String(json: value)
        // PostgreSQL's texts cannot hold the character, and a text means the same on both databases.
        guard !text.utf8.contains(0) else { throw InvalidValue(nullCharacterRefusal) }
        if let maximum, text.unicodeScalars.count > maximum { throw InvalidValue("'\(text)' exceeds maximum length of \(maximum)") }
        return value
    }

    private static func validateName(_ value: JSONValue, _ maximum: Int, mayBeEmpty: Bool) throws(InvalidValue) -> JSONValue {
        let text = try String(json: try validateString(value, maximum))
        let scalars = text.unicodeScalars
        guard mayBeEmpty || !scalars.allSatisfy(\.properties.isWhitespace) else {
            throw InvalidValue("'\(text)' Blank strings are not permitted")
        }
        guard scalars.allSatisfy(isPrintable), scalars.first.map(isSpace) != true, scalars.last.map(isSpace) != true else {
            throw InvalidValue("'\(text)' is not a valid string")
        }
        return value
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return (0x20...0x7E).contains(scalar.value) }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: return false
        default: return true
        }
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.generalCategory == .spaceSeparator }

    private static func validateInteger(_ value: JSONValue, _ range: ClosedRange<Int>?) throws(InvalidValue) -> JSONValue {
        let number = try Int(json: value)
        if let range {
            if number < range.lowerBound { throw InvalidValue("'\(number)' is too small - must be at least '\(range.lowerBound)'") }
            if number > range.upperBound { throw InvalidValue("'\(number)' is too large - must be no larger than '\(range.upperBound)'") }
        }
        return .integer(number)
    }

    private static func validateCIDR(_ value: JSONValue) throws(InvalidValue) -> JSONValue {
        let prefix = try IPPrefix(json: value)
        // Host bits are no mistake, a length that is missing is (neutron-lib, validate_subnet).
        guard value.pythonText.contains("/") else { throw InvalidValue(IPPrefix.refusal(value.pythonText)) }
        return .string(prefix.description)
    }

    private static func validateMAC(_ value: JSONValue) throws(InvalidValue) -> JSONValue {
        let mac = try MACAddress(json: value)
        guard mac != .zero, mac != .broadcast, !mac.isMulticast else { throw InvalidValue(MACAddress.refusal(value.pythonText)) }
        return .string(mac.description)
    }

    private static func validateList(_ value: JSONValue, _ element: AttributeType) throws(InvalidValue) -> JSONValue {
        guard let elements = value.arrayValue else { throw InvalidValue("'\(value.pythonText)' is not a list") }
        guard elements.count <= maximumListCount else { throw InvalidValue("the list has more than \(maximumListCount) items") }
        var result: [JSONValue] = []
        var seen: Set<JSONValue> = []
        for item in elements {
            let valid = try element.validate(item)
            guard seen.insert(valid).inserted else { throw InvalidValue("Duplicate items in the list: '\(item.pythonText)'") }
            result.append(valid)
        }
        return .array(result)
    }

    private static let routeType = AttributeType.object([
        Member("destination", .cidr, required: true), Member("nexthop", .ipAddress, required: true),
    ])

    private static func validateRoutes(_ value: JSONValue) throws(InvalidValue) -> JSONValue {
        guard let elements = value.arrayValue else { throw InvalidValue("Invalid data format for hostroute: '\(value.pythonText)'") }
        guard elements.count <= maximumListCount else { throw InvalidValue("the list has more than \(maximumListCount) items") }
        var result: [JSONValue] = []
        var seen: Set<JSONValue> = []
        for item in elements {
            let valid = try routeType.validate(item)
            guard seen.insert(valid).inserted else { throw InvalidValue("Duplicate hostroute '\(item.pythonText)'") }
            result.append(valid)
        }
        return .array(result)
    }

    static let fixedIPType = AttributeType.object([Member("subnet_id", .uuid), Member("ip_address", .ipAddress)])

    private static func validateFixedIPs(_ value: JSONValue) throws(InvalidValue) -> JSONValue {
        guard let elements = value.arrayValue else { throw InvalidValue("Invalid data format for fixed IP: '\(value.pythonText)'") }
        guard elements.count <= maximumListCount else { throw InvalidValue("the list has more than \(maximumListCount) items") }
        var result: [JSONValue] = []
        var addresses: Set<JSONValue> = []
        for item in elements {
            guard item.objectValue != nil else { throw InvalidValue("Invalid data format for fixed IP: '\(item.pythonText)'") }
            let valid = try fixedIPType.validate(item)
            if let address = valid["ip_address"], !addresses.insert(address).inserted {
                throw InvalidValue("Duplicate IP address '\(address.pythonText)'")
            }
            result.append(valid)
        }
        return .array(result)
    }

    private static func validateObject(_ value: JSONValue, _ members: [Member]) throws(InvalidValue) -> JSONValue {
        guard let given = value.objectValue else { throw InvalidValue("'\(value.pythonText)' is not a dictionary") }
        let known = Set(members.map(\.name))
        let unknown = given.keys.filter { !known.contains($0) }.sorted()
        guard unknown.isEmpty else {
            throw InvalidValue("Unexpected keys supplied: \(unknown.joined(separator: ", "))")
        }
        let missing = members.filter { $0.isRequired && given[$0.name] == nil }.map(\.name)
        guard missing.isEmpty else {
            throw InvalidValue(
                "Validation of dictionary's keys failed. Expected keys: {\(missing.map { "'\($0)'" }.joined(separator: ", "))} Provided keys: \(Array(given.keys).sorted())"
            )
        }
        var result: [String: JSONValue] = [:]
        for member in members {
            if let item = given[member.name] { result[member.name] = try member.type.validate(item) }
        }
        return .object(result)
    }
}
