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

    private static let neutrons = Set(
        PolicyRules.defaults.byName.values.flatMap(\.check.fields).map { "\($0.resource):\($0.name)" })
}
