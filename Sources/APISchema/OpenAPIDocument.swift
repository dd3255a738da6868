/// The API's description in OpenAPI 3.1, made of the resources' tables and the server's routes: what has a table is described to the last
/// attribute, what has none (actions, quotas, schedulers) by its path, its method and its answers.
public struct OpenAPIDocument {
    /// One route of the server.
    public struct Route: Hashable, Sendable {
        /// `GET`.
        public var method: String
        /// `/v2.0/networks/{id}`.
        public var path: String

        public init(method: String, path: String) {
            self.method = method
            self.path = path
        }
    }

    private let resources: [ResourceDescription]
    private let byCollection: [String: ResourceDescription]

    /// - Parameter resources: all that have a table. The collection of one that is a part of another is the last word of its path.
    public init(resources: [ResourceDescription]) {
        self.resources = resources
        byCollection = Dictionary(resources.map { ($0.collection, $0) }) { first, _ in first }
    }

    /// The document for the server's routes.
    public func document(routes: [Route], title: String, version: String) -> JSONValue {
        var paths: [String: JSONValue] = [:]
        for (path, routes) in Dictionary(grouping: routes, by: \.path) {
            var item: [String: JSONValue] = [:]
            for route in routes { item[route.method.lowercased()] = operation(route) }
            let parameters = Self.pathParameters(path)
            if !parameters.isEmpty { item["parameters"] = .array(parameters) }
            paths[path] = .object(item)
        }
        return [
            "openapi": "3.1.0", "info": ["title": .string(title), "version": .string(version)], "servers": [["url": "/"]],
            "paths": .object(paths),
            "components": [
                "schemas": .object(schemas), "responses": .object(Self.errorResponses),
                "securitySchemes": ["token": ["type": "apiKey", "in": "header", "name": "X-Auth-Token"]],
            ],
            "security": [["token": []], [:]],
        ]
    }

    // MARK: Operations

    private func operation(_ route: Route) -> JSONValue {
        var members: [String: JSONValue] = ["operationId": .string(Self.operationID(route))]
        let parts = route.path.split(separator: "/").map(String.init)
        let tag = parts.dropFirst().first { !$0.hasPrefix("{") } ?? "discovery"
        members["tags"] = [.string(tag)]
        var answers = Self.errors(of: route)
        if let resource = resource(of: parts) {
            describe(resource, route, isItem: parts.last?.hasPrefix("{") == true, &members, &answers)
        } else {
            Self.describe(route, &members, &answers)
        }
        members["responses"] = .object(answers)
        return .object(members)
    }

    /// The resource whose collection or item the path names; nil for actions and everything else.
    private func resource(of parts: [String]) -> ResourceDescription? {
        guard let last = parts.last, parts.first == "v2.0" else { return nil }
        let words = last.hasPrefix("{") ? Array(parts.dropLast()) : parts
        for count in 1...2 where words.count > count {
            if let resource = byCollection[words.suffix(count).joined(separator: "/")] {
                // `/agents/{id}/l3-routers` lists routers by another name; `/qos/policies/{id}/tags` are no tags' resource.
                return resource
            }
        }
        return nil
    }

    private func describe(
        _ resource: ResourceDescription, _ route: Route, isItem: Bool, _ members: inout [String: JSONValue],
        _ answers: inout [String: JSONValue]
    ) {
        let name = resource.typeName
        let one = Self.wrapped(resource.singular, Self.reference(name))
        switch (route.method, isItem) {
        case ("GET", false):
            members["parameters"] = .array(Self.listParameters(resource))
            let list = OpenAPISchemas.object(
                [
                    (resource.plural, ["type": "array", "items": Self.reference(name)]),
                    ("\(resource.plural)_links", ["type": "array", "items": Self.reference("Link")]),
                ], required: [resource.plural])
            answers["200"] = Self.json("A page of the list.", list)
        case ("GET", true):
            members["parameters"] = [Self.queryParameter("fields", isList: true)]
            answers["200"] = Self.json("The resource.", one)
        case ("POST", false):
            let body = Self.wrapped(resource.singular, Self.reference("\(name)Create"))
            let bulk = Self.wrapped(resource.plural, ["type": "array", "minItems": 1, "items": Self.reference("\(name)Create")])
            members["requestBody"] = Self.body(["anyOf": [body, bulk]])
            let many = Self.wrapped(resource.plural, ["type": "array", "items": Self.reference(name)])
            answers["201"] = Self.json("What was created.", ["anyOf": [one, many]])
        case ("PUT", true):
            members["requestBody"] = Self.body(Self.wrapped(resource.singular, Self.reference("\(name)Update")))
            members["parameters"] = [Self.ifMatch]
            answers["200"] = Self.json("The resource as it is now.", one)
        case ("DELETE", true):
            members["parameters"] = [Self.ifMatch]
            answers["204"] = ["description": "It is gone."]
        default: Self.describe(route, &members, &answers)
        }
    }

    /// A route without a table: any object in, any object out.
    private static func describe(_ route: Route, _ members: inout [String: JSONValue], _ answers: inout [String: JSONValue]) {
        if route.method == "POST" || route.method == "PUT" {
            members["requestBody"] = ["content": ["application/json": ["schema": ["type": "object"]]]]
        }
        let object: JSONValue = ["type": ["object", "array"]]
        if route.method != "DELETE" {
            answers["200"] = route.method == "HEAD" ? ["description": "It is there."] : json("The answer.", object)
        }
        if route.method == "POST" || route.method == "PUT" { answers["201"] = ["description": "It is there now."] }
        if route.method != "POST" { answers["204"] = ["description": "Done, or there; nothing more to say."] }
    }

    private static func operationID(_ route: Route) -> String {
        let words = route.path.split(separator: "/").map { $0.filter { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" } }
        return ([route.method.lowercased()] + words).joined(separator: "_").replacing("-", with: "_")
    }

    // MARK: Parameters

    private static func pathParameters(_ path: String) -> [JSONValue] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { part in
            [
                "name": .string(String(part.dropFirst().dropLast())), "in": "path", "required": true,
                "schema": ["type": "string", "minLength": 1, "pattern": "^[^/\\u0000]+$"],
            ]
        }
    }

    private static func listParameters(_ resource: ResourceDescription) -> [JSONValue] {
        var parameters = resource.attributes.filter { $0.access.contains(.filter) && !$0.access.contains(.hidden) }.map {
            queryParameter($0.name, isList: true)
        }
        let sortable = resource.attributes.filter { $0.access.contains(.sort) }.map { JSONValue.string($0.name) }
        parameters += [
            queryParameter("fields", isList: true),
            queryParameter("sort_key", isList: true, ["type": "string", "enum": .array(sortable)]),
            queryParameter("sort_dir", isList: true, ["type": "string", "enum": ["asc", "desc"]]),
            queryParameter("limit", isList: false, ["type": "integer", "minimum": 0]),
            queryParameter("marker", isList: false), queryParameter("page_reverse", isList: false, ["type": "boolean"]),
        ]
        return parameters
    }

    private static func queryParameter(_ name: String, isList: Bool, _ schema: JSONValue = ["type": "string"]) -> JSONValue {
        [
            "name": .string(name), "in": "query", "explode": true, "style": "form",
            "schema": isList ? ["type": "array", "items": schema] : schema,
        ]
    }

    private static let ifMatch: JSONValue = [
        "name": "If-Match", "in": "header", "schema": ["type": "string", "pattern": "^revision_number=[0-9]{1,9}$"],
    ]

    // MARK: Answers

    private static func json(_ description: String, _ schema: JSONValue) -> JSONValue {
        ["description": .string(description), "content": ["application/json": ["schema": schema]]]
    }

    private static func body(_ schema: JSONValue) -> JSONValue {
        ["required": true, "content": ["application/json": ["schema": schema]]]
    }

    private static func reference(_ name: String) -> JSONValue { ["$ref": .string("#/components/schemas/\(name)")] }

    private static func wrapped(_ name: String, _ schema: JSONValue) -> JSONValue {
        OpenAPISchemas.object([(name, schema)], required: [name])
    }

    private static let errorTexts: [(status: String, text: String)] = [
        ("400", "Something in the request is wrong; the message names it."), ("403", "Policy does not allow it."),
        ("404", "There is none, or none that the caller may see."), ("405", "The path has no such method."),
        ("406", "The answer is JSON, which the request does not accept."), ("408", "The body did not come in time."),
        ("409", "It conflicts with what is there, or a quota is used up."), ("412", "The revision is not the one that If-Match names."),
        ("413", "The body is too large."), ("414", "The address is too long."), ("415", "The body is not JSON."),
        ("503", "The server cannot do it now; Retry-After says when to try again."),
    ]

    private static func errors(of route: Route) -> [String: JSONValue] {
        var answers: [String: JSONValue] = ["401": ["$ref": "#/components/responses/Unauthorized"]]
        for (status, _) in errorTexts { answers[status] = ["$ref": .string("#/components/responses/Error\(status)")] }
        // A HEAD has no body.
        if route.method == "HEAD" { for status in answers.keys { answers[status] = ["description": "Refused."] } }
        return answers
    }

    private static let errorResponses: [String: JSONValue] = {
        var responses: [String: JSONValue] = [
            "Unauthorized": json("No valid token.", ["type": "object", "required": ["error"], "properties": ["error": ["type": "object"]]])
        ]
        for (status, text) in errorTexts { responses["Error\(status)"] = json(text, reference("NeutronError")) }
        return responses
    }()

    private var schemas: [String: JSONValue] {
        let text: JSONValue = ["type": "string"]
        let error = OpenAPISchemas.object([("type", text), ("message", text), ("detail", text)], required: ["type", "message", "detail"])
        var schemas: [String: JSONValue] = [
            "NeutronError": Self.wrapped("NeutronError", error),
            "Link": OpenAPISchemas.object([("rel", text), ("href", text)], required: ["rel", "href"]),
        ]
        for resource in resources {
            schemas[resource.typeName] = OpenAPISchemas.shown(resource)
            schemas["\(resource.typeName)Create"] = OpenAPISchemas.request(resource, .create)
            schemas["\(resource.typeName)Update"] = OpenAPISchemas.request(resource, .update)
        }
        return schemas
    }
}
