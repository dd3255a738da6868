import APISchema

/// What a rule of oslo.policy's language says, as a tree.
///
/// Names of projects are unified: `tenant_id` is read as `project_id`, alone and behind a parent (`network:tenant_id`).
public indirect enum PolicyCheck: Hashable, Sendable {
    /// `@`, and the empty rule.
    case always
    /// `!`
    case never
    case not(PolicyCheck)
    case all([PolicyCheck])
    case any([PolicyCheck])
    /// `rule:NAME`: another rule; the rule `default` where there is none of that name.
    case rule(String)
    /// `role:NAME`, without regard to case.
    case role(PolicyTemplate)
    /// `project_id:%(FIELD)s`: the field of the target names the caller's project. `PARENT:FIELD` is a field of what the target belongs to
    /// (`network`, `security_group`, and `ext_parent` for what the path names before it).
    case owner(field: String)
    /// `field:RESOURCE:NAME=VALUE`
    case field(PolicyField)
    /// `CREDENTIAL:TEXT` or `LITERAL:TEXT`: the caller's credential, or the literal, is the text.
    case equal(PolicyOperand, PolicyTemplate)
    /// A check that nothing here can decide. It never passes, and neither does what negates it.
    case unknown(String)
}

/// A condition on an attribute of the target: `field:networks:shared=True`, `field:port:device_owner=~^network:`.
public struct PolicyField: Hashable, Sendable {
    public enum Expectation: Hashable, Sendable {
        case value(String)
        case pattern(PolicyPattern)
    }

    /// The plural or singular name of the resource that has the attribute. The target itself may be a part of one: a port, whose network is shared.
    public var resource: String
    public var name: String
    public var expectation: Expectation

    public init(resource: String, name: String, expectation: Expectation) {
        self.resource = resource
        self.name = name
        self.expectation = expectation
    }
}

/// The left side of a comparison.
public enum PolicyOperand: Hashable, Sendable {
    /// `'text'`, `True`, `None` or a number, as Python prints it.
    case literal(String)
    case credential(PolicyCredential)
}

/// What rules can ask of the caller by name.
public enum PolicyCredential: String, Hashable, Sendable {
    case userID = "user_id"
    case projectID = "project_id"
    case domainID = "domain_id"
    case roles
    case serviceRoles = "service_roles"
    case systemScope = "system_scope"
    case isAdmin = "is_admin"
    case isAdminProject = "is_admin_project"

    /// Older names that rules still use.
    private static let aliases: [String: PolicyCredential] = [
        "user": .userID, "tenant": .projectID, "tenant_id": .projectID, "project": .projectID, "domain": .domainID,
    ]

    public init?(name: String) {
        guard let known = PolicyCredential(rawValue: name) ?? Self.aliases[name] else { return nil }
        self = known
    }
}

/// A text with places for the target's fields: `%(name)s`.
public struct PolicyTemplate: Hashable, Sendable {
    public enum Part: Hashable, Sendable {
        case text(String)
        case field(String)
    }

    public var parts: [Part]

    public init(parts: [Part]) { self.parts = parts }

    /// The text, if no field of the target is part of it.
    public var constant: String? {
        var result = ""
        for part in parts {
            guard case .text(let text) = part else { return nil }
            result += text
        }
        return result
    }

    /// The fields of the target that are part of it.
    var fields: [String] {
        parts.compactMap { part in
            guard case .field(let name) = part else { return nil }
            return name
        }
    }

    /// The field, if the text is that and nothing else.
    public var singleField: String? {
        guard parts.count == 1, case .field(let name) = parts[0] else { return nil }
        return name
    }
}

// MARK: As text

extension PolicyCheck: CustomStringConvertible {
    /// As the language writes it.
    public var description: String {
        switch self {
        case .always: "@"
        case .never: "!"
        case .not(let check): "not \(check.operand)"
        case .all(let checks): checks.map(\.operand).joined(separator: " and ")
        case .any(let checks): checks.map { if case .any = $0 { $0.operand } else { $0.description } }.joined(separator: " or ")
        case .rule(let name): "rule:\(name)"
        case .role(let name): "role:\(name)"
        case .owner(let field): "project_id:%(\(field))s"
        case .field(let field): "field:\(field.resource):\(field.name)=\(field.expectation)"
        case .equal(let operand, let template): "\(operand):\(template)"
        case .unknown(let text): text
        }
    }

    private var operand: String {
        switch self {
        case .all, .any: "(\(description))"
        default: description
        }
    }
}

extension PolicyTemplate: CustomStringConvertible {
    public var description: String {
        parts.map { part in
            switch part {
            case .text(let text): text.replacing("%", with: "%%")
            case .field(let name): "%(\(name))s"
            }
        }.joined()
    }
}

extension PolicyField.Expectation: CustomStringConvertible {
    public var description: String {
        switch self {
        case .value(let text): text
        case .pattern(let pattern): "~\(pattern.text)"
        }
    }
}

extension PolicyOperand: CustomStringConvertible {
    public var description: String {
        switch self {
        case .literal(let text): "'\(text)'"
        case .credential(let credential): credential.rawValue
        }
    }
}
