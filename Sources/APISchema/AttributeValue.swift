import Addressing
import NetworkModel

/// A Swift type that an attribute of the API can have: JSON to and from clients, a column to and from the database.
public protocol AttributeValue: Sendable {
    static var columnType: ColumnType { get }
    var columnValue: ColumnValue { get }
    /// Nil when the column holds something that this type never writes: the row was damaged.
    init?(columnValue: ColumnValue)

    func write(to writer: inout JSONWriter)
    /// Takes what validation let through. Throws a reason (`'x' is not a valid UUID`) that the caller puts behind the attribute's name.
    init(json: JSONValue) throws(InvalidValue)
    /// The text of a query parameter as a column value; nil when no row can match it.
    static func filterValue(_ text: String) -> ColumnValue?
    /// The elements of a list as its row keeps it (`["…","…"]`), told without taking it apart as JSON; nil: that must be done.
    static func elements(ofKept text: String) -> [Self]?
    /// How an attribute of that type is shown when this is its Swift type: it may be null, or a text where a number may be given.
    static func shownType(_ type: AttributeType) -> AttributeType
}

/// Why a value is refused, without full stop: the `Reason` of `Invalid input for …`.
public struct InvalidValue: Error, Hashable, Sendable {
    public var reason: String
    public init(_ reason: String) { self.reason = reason }
}

extension AttributeValue {
    public static func filterValue(_ text: String) -> ColumnValue? { .text(text) }
    public static func elements(ofKept text: String) -> [Self]? { nil }
    public static func shownType(_ type: AttributeType) -> AttributeType {
        switch type {
        case .nullMeans(_, let shown): shown
        // The server calls what it makes itself after projects, whose ids are any text.
        case .name(let maximum, _): .string(maximum: maximum)
        default: type
        }
    }
}

extension String: AttributeValue {
    public static var columnType: ColumnType { .text }
    public var columnValue: ColumnValue { .text(self) }
    public init?(columnValue: ColumnValue) {
        guard case .text(let text) = columnValue else { return nil }
        self = text
    }
    public func write(to writer: inout JSONWriter) { writer.string(self) }
    public init(json: JSONValue) throws(InvalidValue) {
        guard case .string(let text) = json else { throw InvalidValue("'\(json.pythonText)' is not a valid string") }
        self = text
    }
}

extension Bool: AttributeValue {
    public static var columnType: ColumnType { .integer }
    public var columnValue: ColumnValue { .integer(self ? 1 : 0) }
    public init?(columnValue: ColumnValue) {
        guard case .integer(let number) = columnValue else { return nil }
        self = number != 0
    }
    public func write(to writer: inout JSONWriter) { writer.bool(self) }

    /// Neutron's convert_to_boolean: true, false, their words, 0 and 1.
    public init(json: JSONValue) throws(InvalidValue) {
        switch json {
        case .bool(let flag): self = flag
        case .integer(0): self = false
        case .integer(1): self = true
        case .string(let text):
            guard let flag = Self.parse(text) else { throw InvalidValue("'\(text)' cannot be converted to boolean") }
            self = flag
        default: throw InvalidValue("'\(json.pythonText)' cannot be converted to boolean")
        }
    }

    public static func filterValue(_ text: String) -> ColumnValue? { parse(text).map(\.columnValue) }

    private static func parse(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "1", "yes", "on", "y", "t": true
        case "false", "0", "no", "off", "n", "f": false
        default: nil
        }
    }
}

extension Int: AttributeValue {
    public static var columnType: ColumnType { .integer }
    public var columnValue: ColumnValue { .integer(self) }
    public init?(columnValue: ColumnValue) {
        guard case .integer(let number) = columnValue else { return nil }
        self = number
    }
    public func write(to writer: inout JSONWriter) { writer.integer(self) }
    public init(json: JSONValue) throws(InvalidValue) {
        switch json {
        case .integer(let number): self = number
        case .string(let text):
            guard let number = Int(text) else { throw InvalidValue("'\(text)' is not an integer") }
            self = number
        default: throw InvalidValue("'\(json.pythonText)' is not an integer")
        }
    }
    public static func filterValue(_ text: String) -> ColumnValue? { Int(text).map(ColumnValue.integer) }
}

extension Optional: AttributeValue where Wrapped: AttributeValue {
    public static var columnType: ColumnType { Wrapped.columnType }
    public var columnValue: ColumnValue { self?.columnValue ?? .null }
    public init?(columnValue: ColumnValue) {
        if case .null = columnValue {
            self = .none
        } else {
            guard let value = Wrapped(columnValue: columnValue) else { return nil }
            self = .some(value)
        }
    }
    public func write(to writer: inout JSONWriter) {
        if let self { self.write(to: &writer) } else { writer.null() }
    }
    public init(json: JSONValue) throws(InvalidValue) { self = json.isNull ? nil : try Wrapped(json: json) }
    public static func filterValue(_ text: String) -> ColumnValue? { Wrapped.filterValue(text) }
    public static func shownType(_ type: AttributeType) -> AttributeType {
        let shown = Wrapped.shownType(type)
        if case .nullable = shown { return shown }
        return shown == .any ? .any : .nullable(shown)
    }
}

/// A value whose JSON form and column are the same text.
public protocol TextAttributeValue: AttributeValue, CustomStringConvertible {
    init?(text: String)
    /// The reason when a text does not parse.
    static func refusal(_ text: String) -> String
}

extension TextAttributeValue {
    public static func shownType(_ type: AttributeType) -> AttributeType { type == .any ? .string(maximum: nil) : type }
    public static var columnType: ColumnType { .text }
    public var columnValue: ColumnValue { .text(description) }
    public init?(columnValue: ColumnValue) {
        guard case .text(let text) = columnValue else { return nil }
        self.init(text: text)
    }
    public func write(to writer: inout JSONWriter) { writer.string(description) }
    public init(json: JSONValue) throws(InvalidValue) {
        guard case .string(let text) = json, let value = Self(text: text) else { throw InvalidValue(Self.refusal(json.pythonText)) }
        self = value
    }
    /// Through the value, so that other spellings of the same value are found.
    public static func filterValue(_ text: String) -> ColumnValue? { Self(text: text)?.columnValue }
}

extension ResourceID: TextAttributeValue {
    public init?(text: String) { self.init(text) }
    public static func refusal(_ text: String) -> String { "'\(text)' is not a valid UUID" }
    public static func elements(ofKept text: String) -> [ResourceID]? {
        KeptList.elements(of: text) { list in
            guard list.skip("\""), let id = list.id(), list.skip("\"") else { return nil }
            return id
        }
    }
}

extension IPAddress: TextAttributeValue {
    public init?(text: String) { self.init(text) }
    public static func refusal(_ text: String) -> String { "'\(text)' is not a valid IP address" }
}

extension IPPrefix: TextAttributeValue {
    public init?(text: String) { self.init(text) }
    public static func refusal(_ text: String) -> String { "'\(text)' is not a valid IP subnet" }
}

extension MACAddress: TextAttributeValue {
    public init?(text: String) { self.init(text) }
    public static func refusal(_ text: String) -> String { "'\(text)' is not a valid MAC address" }
}

extension IPVersion: AttributeValue {
    public static var columnType: ColumnType { .integer }
    public var columnValue: ColumnValue { .integer(rawValue) }
    public init?(columnValue: ColumnValue) {
        guard case .integer(let number) = columnValue else { return nil }
        self.init(rawValue: number)
    }
    public func write(to writer: inout JSONWriter) { writer.integer(rawValue) }
    public init(json: JSONValue) throws(InvalidValue) {
        guard let value = IPVersion(rawValue: try Int(json: json)) else { throw InvalidValue("'\(json.pythonText)' is not in [4, 6]") }
        self = value
    }
    public static func filterValue(_ text: String) -> ColumnValue? { Int(text).map(ColumnValue.integer) }
}

/// A list or an object that is kept as JSON text in its row.
public protocol JSONAttributeValue: AttributeValue {}

extension JSONAttributeValue {
    public static var columnType: ColumnType { .text }
    public var columnValue: ColumnValue {
        var writer = JSONWriter()
        write(to: &writer)
        return .text(writer.text)
    }
    public init?(columnValue: ColumnValue) {
        guard case .text(let text) = columnValue, let json = try? JSONParser.parse(text), let value = try? Self(json: json) else {
            return nil
        }
        self = value
    }
}

extension Array: JSONAttributeValue, AttributeValue where Element: AttributeValue {
    /// Most lists of most rows are empty: they cost no parser and no writer.
    private static var emptyText: String { "[]" }

    public var columnValue: ColumnValue {
        guard !isEmpty else { return .text(Self.emptyText) }
        var writer = JSONWriter()
        write(to: &writer)
        return .text(writer.text)
    }
    public init?(columnValue: ColumnValue) {
        guard case .text(let text) = columnValue else { return nil }
        if text == Self.emptyText {
            self = []
            return
        }
        if let elements = Element.elements(ofKept: text) {
            self = elements
            return
        }
        guard let json = try? JSONParser.parse(text), let value = try? Self(json: json) else { return nil }
        self = value
    }
    public func write(to writer: inout JSONWriter) {
        writer.array { for element in self { element.write(to: &$0) } }
    }
    public init(json: JSONValue) throws(InvalidValue) {
        guard case .array(let elements) = json else { throw InvalidValue("'\(json.pythonText)' is not a list") }
        var result: [Element] = []
        result.reserveCapacity(elements.count)
        for element in elements { result.append(try Element(json: element)) }
        self = result
    }
}

extension JSONValue {
    /// The value as Python prints it: Neutron's messages quote values that way.
    public var pythonText: String {
        switch self {
        case .null: "None"
        case .bool(let flag): flag ? "True" : "False"
        case .integer(let number): String(number)
        case .number(let number): String(number)
        case .string(let text): text
        case .array(let elements): "[" + elements.map(\.pythonLiteral).joined(separator: ", ") + "]"
        case .object(let members):
            "{" + members.sorted { $0.key < $1.key }.map { "'\($0.key)': \($0.value.pythonLiteral)" }.joined(separator: ", ") + "}"
        }
    }

    private var pythonLiteral: String {
        if case .string(let text) = self { return "'\(text)'" }
        return pythonText
    }
}
