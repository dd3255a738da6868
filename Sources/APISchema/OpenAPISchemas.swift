/// JSON Schemas (draft 2020-12, as OpenAPI 3.1 has it) of attributes and resources.
enum OpenAPISchemas {
    /// No text holds the null character.
    private static let textPattern: JSONValue = "^[^\\u0000]*$"
    /// Of names in ASCII; of others only what is printable in Unicode's sense may be in them.
    private static let namePattern: JSONValue = "^([^\\u0000- \\u007f]([^\\u0000-\\u001f\\u007f]*[^\\u0000- \\u007f])?)?$"

    static func schema(of type: AttributeType) -> JSONValue {
        switch type {
        case .any: return [:]
        case .string(let maximum):
            var members: [String: JSONValue] = ["type": "string", "pattern": textPattern]
            if let maximum { members["maxLength"] = .integer(maximum) }
            return .object(members)
        case .name(let maximum, let mayBeEmpty):
            var members: [String: JSONValue] = ["type": "string", "pattern": namePattern, "maxLength": .integer(maximum)]
            if !mayBeEmpty { members["minLength"] = 1 }
            return .object(members)
        case .boolean: return ["type": "boolean"]
        case .integer(let range):
            var members: [String: JSONValue] = ["type": "integer"]
            if let range {
                members["minimum"] = .integer(range.lowerBound)
                if range.upperBound < Int.max { members["maximum"] = .integer(range.upperBound) }
            }
            return .object(members)
        case .uuid: return ["type": "string", "format": "uuid"]
        case .ipAddress: return ["type": "string", "description": "An IPv4 or IPv6 address."]
        case .cidr: return ["type": "string", "description": "A prefix, such as 192.0.2.0/24."]
        case .macAddress: return ["type": "string", "description": "A unicast MAC address."]
        case .portRange: return ["type": "string", "description": "A port, or two with a colon between them."]
        case .oneOf(let words): return ["type": "string", "enum": .array(words.map(JSONValue.string))]
        case .routes:
            let text: JSONValue = ["type": "string"]
            return [
                "type": "array",
                "items": [
                    "type": "object", "required": ["destination", "nexthop"], "properties": ["destination": text, "nexthop": text],
                ],
            ]
        case .fixedIPs:
            return [
                "type": "array", "maxItems": .integer(AttributeType.maximumListCount), "items": schema(of: AttributeType.fixedIPType),
            ]
        case .list(let element):
            return ["type": "array", "maxItems": .integer(AttributeType.maximumListCount), "items": schema(of: element)]
        case .object(let members):
            return object(members.map { ($0.name, schema(of: $0.type)) }, required: members.filter(\.isRequired).map(\.name))
        case .nullable(let type), .nullMeans(_, let type):
            let inner = schema(of: type)
            return inner == [:] ? inner : ["anyOf": [inner, ["type": "null"]]]
        }
    }

    static func object(_ members: [(name: String, schema: JSONValue)], required: [String] = []) -> JSONValue {
        var result: [String: JSONValue] = [
            "type": "object", "properties": .object(Dictionary(members.map { ($0.name, $0.schema) }) { first, _ in first }),
        ]
        if !required.isEmpty { result["required"] = .array(required.map(JSONValue.string)) }
        return .object(result)
    }

    /// The resource as clients are shown it. Nothing is required: `fields` and policy leave attributes out.
    static func shown(_ resource: ResourceDescription) -> JSONValue {
        object(
            resource.attributes.filter(\.isVisible).map { attribute in
                (attribute.name, described(schema(of: attribute.shownAs), attribute, isRequest: false))
            })
    }

    /// What may be given on creation or change.
    static func request(_ resource: ResourceDescription, _ access: AttributeAccess) -> JSONValue {
        let attributes = resource.attributes.filter { $0.access.contains(access) }
        var result = object(
            attributes.map { ($0.name, described(schema(of: $0.type), $0, isRequest: access == .create)) },
            required: access == .create ? attributes.filter { $0.access.contains(.required) }.map(\.name) : [])
        if case .object(var members) = result {
            members["additionalProperties"] = false
            result = .object(members)
        }
        return result
    }

    private static func described(_ schema: JSONValue, _ attribute: ResourceDescription.Attribute, isRequest: Bool) -> JSONValue {
        guard case .object(var members) = schema else { return schema }
        if isRequest, let value = attribute.defaultValue { members["default"] = value }
        if let alias = attribute.extensionAlias { members["x-openstack-extension"] = .string(alias) }
        return .object(members)
    }
}
