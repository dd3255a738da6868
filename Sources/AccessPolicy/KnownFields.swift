import APISchema

extension PolicyCheck {
    /// The check with those of attributes that no resource has as what nothing can decide: a target has no value for them, and so their opposite
    /// would let everybody pass.
    var withoutUnknownFields: PolicyCheck {
        switch self {
        case .field(let field) where !field.isKnown: .unknown("\(self)")
        case .not(let check): .not(check.withoutUnknownFields)
        case .all(let checks): .all(checks.map(\.withoutUnknownFields))
        case .any(let checks): .any(checks.map(\.withoutUnknownFields))
        default: self
        }
    }

    fileprivate var fields: [PolicyField] {
        switch self {
        case .field(let field): [field]
        case .not(let check): check.fields
        case .all(let checks), .any(let checks): checks.flatMap(\.fields)
        default: []
        }
    }
}

extension PolicyField {
    /// Whether a resource has the attribute, or Neutron's rules ask for it.
    fileprivate var isKnown: Bool {
        Self.granted.contains(name) || Self.attributes[resource]?.contains(name) == true || Self.neutrons.contains("\(resource):\(name)")
    }

    /// What grants decide, of everything that is on a network as well.
    private static let granted: Set<String> = ["shared", "router:external"]

    /// Names of attributes by the plural and singular names of resources.
    private static let attributes: [String: Set<String>] = ResourceDescription.all.reduce(into: [:]) { result, resource in
        let names = Set(resource.attributes.map(\.name))
        for name in [resource.singular, resource.plural] { result[name, default: []].formUnion(names) }
    }

    /// The attributes of a resource by the name that rules have for it, which begins with the whole's where it is a part
    /// (`policy_bandwidth_limit_rule`); nil when there is none.
    fileprivate static func attributes(ofRuleName name: String) -> Set<String>? {
        if let known = attributes[name] { return known }
        return name.indices.lazy.filter { name[$0] == "_" }.compactMap { attributes[String(name[name.index(after: $0)...])] }.first
    }

    private static let neutrons = Set(
        PolicyRules.defaults.byName.values.flatMap(\.check.fields).map { "\($0.resource):\($0.name)" })
}

extension PolicyRules {
    /// Why a rule of an operator's for what is shown hides nothing; nil when it may hide something, or is one of Neutron's.
    static func idleness(of name: String) -> String? {
        guard name.hasPrefix("get_"), let colon = name.firstIndex(of: ":"), defaults[name] == nil else { return nil }
        let resource = String(name[..<colon].dropFirst("get_".count))
        let attribute = String(name[name.index(after: colon)...])
        guard let known = PolicyField.attributes(ofRuleName: resource) else {
            return defaults[String(name[..<colon])] == nil ? "there is no resource '\(resource)'" : nil
        }
        guard !known.contains(attribute) else { return nil }
        let whole = attribute.indices.filter { attribute[$0] == ":" }.map { String(attribute[..<$0]) }.first(where: known.contains)
        return whole.map { "the attribute '\($0)' is shown whole or not at all" } ?? "a '\(resource)' has no attribute '\(attribute)'"
    }
}
