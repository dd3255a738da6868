/// What clients may do with an attribute.
public struct AttributeAccess: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// May be given in POST.
    public static let create = AttributeAccess(rawValue: 1)
    /// May be given in PUT.
    public static let update = AttributeAccess(rawValue: 2)
    /// May be a query parameter of a list.
    public static let filter = AttributeAccess(rawValue: 4)
    /// May be a sort key.
    public static let sort = AttributeAccess(rawValue: 8)
    /// Must be given in POST.
    public static let required = AttributeAccess(rawValue: 16)
    /// Never shown.
    public static let hidden = AttributeAccess(rawValue: 32)
    /// Policy decides on the attribute itself, as `create_port:binding:host_id`.
    public static let guarded = AttributeAccess(rawValue: 64)
    /// Neutron has a rule for the attribute that nothing asks: only one of an operator's file is asked.
    public static let unasked = AttributeAccess(rawValue: 128)
}

/// One attribute of a resource: everything that the API, the store and the documentation need to know of it.
///
/// A table of these (``ResourceTable``) is the only declaration of a resource. Decoding, error texts, defaults, filters, sorting, `fields`, and
/// columns derive from it.
public struct Attribute<Resource: APIResource>: Sendable {
    public let name: String
    public let access: AttributeAccess
    /// How values are checked and converted; also what OpenAPI says of them.
    public let type: AttributeType
    /// How the value is shown, where that is not as ``type`` says; nil: as it says.
    var shownAs: AttributeType?
    /// What POST assumes when the attribute is absent; nil: nothing, the operation decides.
    public let defaultValue: JSONValue?
    /// The alias of the extension that adds the attribute; nil for the core API.
    public let extensionAlias: String?
    /// Where the attribute is kept; nil for attributes that only requests have and for those that are computed.
    public let column: Column<Resource>?
    /// Writes the value (not the name). Nil for attributes that are never shown.
    let write: (@Sendable (Resource, inout JSONWriter) -> Void)?
    /// Puts a validated value into the resource; nil when an operation must do it.
    let assign: (@Sendable (inout Resource, JSONValue) throws(InvalidValue) -> Void)?
    /// The text of a filter as a column's value. Nil results match nothing.
    public let filterValue: @Sendable (String) -> ColumnValue?

    /// An attribute that is a stored property, shown as it is kept and settable as `access` says.
    public static func stored<Value: AttributeValue>(
        _ name: String, _ path: any WritableKeyPath<Resource, Value> & Sendable, _ type: AttributeType, _ access: AttributeAccess = [],
        default defaultValue: JSONValue? = nil, from extensionAlias: String? = nil
    ) -> Attribute {
        stored(name, Property(path), type, access, default: defaultValue, from: extensionAlias)
    }

    static func stored<Value: AttributeValue>(
        _ name: String, _ property: Property<Resource, Value>, _ type: AttributeType, _ access: AttributeAccess = [],
        default defaultValue: JSONValue? = nil, from extensionAlias: String? = nil
    ) -> Attribute {
        Attribute(
            name: name, access: access, type: type, shownAs: Value.shownType(type), defaultValue: defaultValue,
            extensionAlias: extensionAlias, column: Column(name: Column<Resource>.name(of: name), property),
            write: writer(of: property, access), assign: assigner(of: property), filterValue: Value.filterValue)
    }

    /// A second name for a stored attribute: `tenant_id` for `project_id`. Shares its column.
    static func alias<Value: AttributeValue>(
        _ name: String, _ property: Property<Resource, Value>, _ type: AttributeType, _ access: AttributeAccess = []
    ) -> Attribute {
        Attribute(
            name: name, access: access, type: type, shownAs: Value.shownType(type), defaultValue: nil, extensionAlias: nil, column: nil,
            write: writer(of: property, access), assign: nil, filterValue: Value.filterValue)
    }

    /// An attribute whose form in requests differs from what is kept (a port's `fixed_ips`, a subnet's `prefixlen`): an operation reads it from
    /// the request. `show` writes it; nil for attributes that only requests have.
    public static func request(
        _ name: String, _ type: AttributeType, _ access: AttributeAccess, default defaultValue: JSONValue? = nil,
        from extensionAlias: String? = nil, show: (@Sendable (Resource, inout JSONWriter) -> Void)? = nil
    ) -> Attribute {
        Attribute(
            name: name, access: access, type: type, defaultValue: defaultValue, extensionAlias: extensionAlias, column: nil, write: show,
            assign: nil, filterValue: { .text($0) })
    }

    /// An attribute that is kept, but whose requests an operation reads (see ``request(_:_:_:default:from:show:)``).
    ///
    /// - Parameter show: writes it where it is shown in another form than it is kept in.
    public static func keptRequest<Value: AttributeValue>(
        _ name: String, _ path: any WritableKeyPath<Resource, Value> & Sendable, _ type: AttributeType, _ access: AttributeAccess,
        default defaultValue: JSONValue? = nil, from extensionAlias: String? = nil,
        show: (@Sendable (Resource, inout JSONWriter) -> Void)? = nil
    ) -> Attribute {
        keptRequest(name, Property(path), type, access, default: defaultValue, from: extensionAlias, show: show)
    }

    static func keptRequest<Value: AttributeValue>(
        _ name: String, _ property: Property<Resource, Value>, _ type: AttributeType, _ access: AttributeAccess,
        default defaultValue: JSONValue? = nil, from extensionAlias: String? = nil,
        show: (@Sendable (Resource, inout JSONWriter) -> Void)? = nil
    ) -> Attribute {
        Attribute(
            name: name, access: access, type: type, shownAs: Value.shownType(type), defaultValue: defaultValue,
            extensionAlias: extensionAlias, column: Column(name: Column<Resource>.name(of: name), property),
            write: show ?? writer(of: property, access), assign: nil, filterValue: Value.filterValue)
    }

    /// A column that the API does not know.
    public static func `internal`<Value: AttributeValue>(_ name: String, _ path: any WritableKeyPath<Resource, Value> & Sendable)
        -> Attribute
    {
        Attribute(
            name: name, access: .hidden, type: .any, defaultValue: nil, extensionAlias: nil,
            column: Column(name: Column<Resource>.name(of: name), Property(path)), write: nil, assign: nil, filterValue: Value.filterValue)
    }

    private static func writer<Value: AttributeValue>(
        of property: Property<Resource, Value>, _ access: AttributeAccess
    ) -> (@Sendable (Resource, inout JSONWriter) -> Void)? {
        if access.contains(.hidden) { return nil }
        return { resource, writer in property.read(resource) { $0.write(to: &writer) } }
    }

    private static func assigner<Value: AttributeValue>(
        of property: Property<Resource, Value>
    ) -> @Sendable (inout Resource, JSONValue) throws(InvalidValue) -> Void {
        { (resource: inout Resource, json: JSONValue) throws(InvalidValue) in property.write(try Value(json: json), to: &resource) }
    }

    /// The value as clients are shown it; nil where they are not.
    public func shownValue(of resource: Resource) -> JSONValue? {
        guard let write else { return nil }
        var writer = JSONWriter()
        write(resource, &writer)
        return try? JSONParser.parse(writer.bytes)
    }

    /// Refuses the text of a filter that Neutron's converters refuse: those of truth values, and of numbers that clients may set.
    func checkFilter(_ text: String) throws(APIError) {
        do throws(InvalidValue) {
            switch type.unwrapped {
            case .boolean: _ = try Bool(json: .string(text))
            case .integer where !access.isDisjoint(with: [.create, .update]): _ = try Int(json: .string(text))
            default: break
            }
        } catch {
            throw .invalidInput(error.reason)
        }
    }

    /// Whether clients see the attribute.
    public var isVisible: Bool { write != nil && !access.contains(.hidden) }
}

/// Where and how an attribute is kept in its resource's row.
public struct Column<Resource: APIResource>: Sendable {
    /// The SQL name: the attribute's, with `_` for `:`.
    public let name: String
    public let type: ColumnType
    public let value: @Sendable (Resource) -> ColumnValue
    /// False when the stored value is damaged.
    public let load: @Sendable (inout Resource, ColumnValue) -> Bool

    init<Value: AttributeValue>(name: String, _ property: Property<Resource, Value>) {
        self.name = name
        type = Value.columnType
        value = { resource in property.read(resource) { $0.columnValue } }
        load = { resource, column in
            guard let value = Value(columnValue: column) else { return false }
            property.write(value, to: &resource)
            return true
        }
    }

    static func name(of attribute: String) -> String { String(attribute.map { $0 == ":" || $0 == "-" ? "_" : $0 }) }
}
