import APISchema

/// A thing by its id, or by its name and domain.
public struct Reference: Hashable, Sendable {
    public enum Domain: Hashable, Sendable {
        case id(String)
        case name(String)
    }

    public enum Key: Hashable, Sendable {
        case id(String)
        case name(String, Domain)
    }

    public var key: Key

    public init(_ key: Key) { self.key = key }

    /// No name of a user and a domain is longer as ``text``.
    public static let maximumTextBytes = 2048

    /// A stable text for counting.
    public var text: String {
        switch key {
        case .id(let id): "id:\(id)"
        case .name(let name, .id(let domain)): "name:\(domain):\(name)"
        case .name(let name, .name(let domain)): "name:=\(domain):\(name)"
        }
    }

    init(_ value: JSONValue, _ target: String) throws(IdentityError) {
        guard value.objectValue != nil else { throw .missing(target, in: "auth") }
        if let id = value["id"]?.stringValue {
            key = .id(id)
            return
        }
        guard let name = value["name"]?.stringValue else { throw .missing("name", in: target) }
        key = .name(name, try Self.domain(value["domain"], target))
    }

    static func domain(_ value: JSONValue?, _ target: String) throws(IdentityError) -> Domain {
        guard let value else { throw .missing("domain", in: target) }
        if let id = value["id"]?.stringValue { return .id(id) }
        if let name = value["name"]?.stringValue { return .name(name) }
        throw .missing("name", in: "domain")
    }
}

/// What `POST /v3/auth/tokens` is asked for.
public struct LoginRequest: Hashable, Sendable {
    public enum Proof: Hashable, Sendable {
        case password(user: Reference, password: String)
        case token(String)
    }

    public enum WantedScope: Hashable, Sendable {
        /// Nothing was said: the user's default project, if it has one.
        case usual
        case unscoped
        case project(Reference)
        case domain(Reference.Domain)
        case system
    }

    public var proof: Proof
    public var scope: WantedScope

    /// - Parameter body: the whole document: `{"auth": {"identity": …, "scope": …}}`.
    public init(body: [String: JSONValue]) throws(IdentityError) {
        guard let auth = body["auth"], auth.objectValue != nil else { throw .missing("auth", in: "request body") }
        guard let identity = auth["identity"], identity.objectValue != nil else { throw .missing("identity", in: "auth") }
        guard let methods = identity["methods"]?.arrayValue?.compactMap(\.stringValue), !methods.isEmpty else {
            throw .missing("methods", in: "identity")
        }
        proof = try Self.proof(methods, identity)
        scope = try Self.scope(auth["scope"])
    }

    private static func proof(_ methods: [String], _ identity: JSONValue) throws(IdentityError) -> Proof {
        // One method proves who somebody is; others that are named are not asked for here.
        guard Set(methods).count == 1, let method = methods.first else {
            throw IdentityError(status: 401, message: "Attempted to authenticate with an unsupported method.")
        }
        switch method {
        case "password":
            guard let user = identity["password"]?["user"] else { throw .missing("user", in: "password") }
            guard let password = user["password"]?.stringValue else { throw .missing("password", in: "user") }
            return .password(user: try Reference(user, "user"), password: password)
        case "token":
            guard let id = identity["token"]?["id"]?.stringValue else { throw .missing("id", in: "token") }
            return .token(id)
        default: throw IdentityError(status: 401, message: "Attempted to authenticate with an unsupported method.")
        }
    }

    private static func scope(_ value: JSONValue?) throws(IdentityError) -> WantedScope {
        guard let value, !value.isNull else { return .usual }
        if value == "unscoped" { return .unscoped }
        guard let members = value.objectValue, members.count == 1, let (kind, target) = members.first else {
            throw .badRequest("Scope is either one project, one domain, the system, or unscoped.")
        }
        switch kind {
        case "project": return .project(try Reference(target, "project"))
        case "domain": return .domain(try Reference.domain(target, "scope"))
        case "system":
            guard target["all"] == true else { throw .missing("all", in: "system") }
            return .system
        case "unscoped": return .unscoped
        default: throw .badRequest("Scope is either one project, one domain, the system, or unscoped.")
        }
    }
}
