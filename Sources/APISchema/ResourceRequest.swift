import NetworkModel

/// The attributes that a client gave in POST or PUT: known, allowed, checked and converted. What is absent stays absent (in POST: unless the
/// table has a default), so that an operation can tell absent from null.
public struct ResourceRequest<Resource: APIResource>: Sendable {
    /// By attribute name; `tenant_id` has become `project_id`.
    public private(set) var values: [String: JSONValue]
    /// The names that the client wrote itself, without defaults: policy looks at these.
    public let givenNames: Set<String>

    public func contains(_ name: String) -> Bool { values[name] != nil }

    /// The raw value; nil when absent.
    public subscript(name: String) -> JSONValue? { values[name] }

    /// The value as a Swift type: nil when absent. For attributes that may be null ask for an optional type.
    public func value<Value: AttributeValue>(_ name: String, as type: Value.Type = Value.self) throws(APIError) -> Value? {
        guard let json = values[name] else { return nil }
        do throws(InvalidValue) { return try Value(json: json) } catch { throw .invalidAttribute(name, error.reason) }
    }

    /// Puts every value whose attribute is a plain stored property into the resource.
    public func assign(to resource: inout Resource) throws(APIError) {
        for (name, assign) in Resource.table.assignments {
            guard let json = values[name] else { continue }
            do throws(InvalidValue) { try assign(&resource, json) } catch { throw .invalidAttribute(name, error.reason) }
        }
    }

    /// Reads the object of a POST body.
    public static func create(_ body: [String: JSONValue]) throws(APIError) -> ResourceRequest {
        let body = try unified(body)
        try refuseUnknown(body)
        let table = Resource.table
        var values = table.defaultValues
        // In the table's order, which decides what is complained of first.
        for position in Set(body.keys.compactMap { table.positions[$0] } + table.requiredPositions).sorted() {
            let attribute = table.attributes[position]
            guard let json = body[attribute.name] else {
                throw .badRequest("Failed to parse request. Required attribute '\(attribute.name)' not specified")
            }
            guard attribute.access.contains(.create) else { throw .badRequest("Attribute '\(attribute.name)' not allowed in POST") }
            values[attribute.name] = try checked(attribute, json)
        }
        return ResourceRequest(values: values, givenNames: Set(body.keys))
    }

    /// Reads the object of a PUT body.
    public static func update(_ body: [String: JSONValue]) throws(APIError) -> ResourceRequest {
        let body = try unified(body)
        try refuseUnknown(body)
        var values: [String: JSONValue] = [:]
        for attribute in Resource.table.attributes {
            guard let json = body[attribute.name] else { continue }
            guard attribute.access.contains(.update) else { throw .badRequest("Cannot update read-only attribute \(attribute.name)") }
            values[attribute.name] = try checked(attribute, json)
        }
        return ResourceRequest(values: values, givenNames: Set(body.keys))
    }

    private static func checked(_ attribute: Attribute<Resource>, _ json: JSONValue) throws(APIError) -> JSONValue {
        do throws(InvalidValue) { return try attribute.type.validate(json) } catch { throw .invalidAttribute(attribute.name, error.reason) }
    }

    private static func refuseUnknown(_ body: [String: JSONValue]) throws(APIError) {
        let unknown = body.keys.filter { Resource.table[$0]?.access.contains(.hidden) ?? true }
        guard unknown.isEmpty else { throw .badRequest("Unrecognized attribute(s) '\(unknown.sorted().joined(separator: ", "))'") }
    }

    /// `tenant_id` and `project_id` are twins; different values are the caller's mistake.
    private static func unified(_ body: [String: JSONValue]) throws(APIError) -> [String: JSONValue] {
        guard let tenant = body["tenant_id"], Resource.table.positions["project_id"] != nil else { return body }
        if let project = body["project_id"], project != tenant {
            throw .badRequest("'project_id' and 'tenant_id' do not match")
        }
        var body = body
        body["tenant_id"] = nil
        body["project_id"] = tenant
        return body
    }
}
