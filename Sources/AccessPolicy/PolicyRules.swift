import APISchema

/// Why rules of a file are not taken: which one, and what is wrong with it.
public struct PolicyRuleError: Error, Hashable, Sendable, CustomStringConvertible {
    public var rule: String
    public var reason: String
    public var description: String { "The rule '\(rule)' cannot be used: \(reason)." }
}

/// The rules that are in force: Neutron's defaults, and what an operator put in their place.
public struct PolicyRules: Sendable {
    public struct Rule: Sendable {
        public var name: String
        public var check: PolicyCheck
        /// Operations and attributes need a token of a project; parts of rules need nothing.
        public var needsProjectScope: Bool
        /// Nil: the rule is as Neutron has it, or the operator's alone.
        public var defaultCheck: PolicyCheck?
        public var isOverridden: Bool
    }

    /// What decides where no rule has the name that is asked for.
    public static let fallbackName = "default"
    /// Rules that lead to each other: more are a mistake.
    private static let maximumDepth = 32

    public private(set) var byName: [String: Rule]
    /// The defaults in the order of their documentation, then the operator's own by name.
    public private(set) var names: [String]
    /// The rules with something below them: `create_port` of `create_port:fixed_ips:subnet_id`, and `create_port:fixed_ips`.
    let wholes: Set<String>
    /// The operator's, in the place of Neutron's or beside them.
    let overriddenNames: Set<String>
    /// What the operator probably did not mean, a sentence each.
    public private(set) var warnings: [String] = []

    /// Neutron's rules.
    public static let defaults: PolicyRules = {
        var rules: [String: Rule] = [:]
        var names: [String] = []
        for (name, text, isOperation) in DefaultPolicies.lines() {
            do throws(PolicySyntaxError) {
                rules[name] = Rule(
                    name: name, check: try PolicyParser.parse(text), needsProjectScope: isOperation, defaultCheck: nil, isOverridden: false)
            } catch {
                preconditionFailure("the default rule \(name) can be read: \(error)")
            }
            names.append(name)
        }
        return PolicyRules(byName: rules, names: names)
    }()

    private init(byName: [String: Rule], names: [String]) {
        self.byName = byName
        self.names = names
        overriddenNames = Set(names.filter { byName[$0]?.isOverridden == true })
        wholes = Set(names.flatMap { name in name.indices.filter { name[$0] == ":" }.map { String(name[..<$0]) } })
    }

    /// The defaults with an operator's rules in their place or beside them.
    ///
    /// - Parameter overrides: what a policy file holds: texts, or the older lists of lists.
    public init(overrides: [String: JSONValue]) throws(PolicyRuleError) {
        var (byName, names) = (Self.defaults.byName, Self.defaults.names)
        for (name, value) in overrides.sorted(by: { $0.key < $1.key }) {
            do throws(PolicySyntaxError) {
                let check = try PolicyParser.parse(value).withoutUnknownFields
                if byName[name] == nil { names.append(name) }
                byName[name] = Rule(
                    name: name, check: check, needsProjectScope: byName[name]?.needsProjectScope ?? false,
                    defaultCheck: byName[name]?.check, isOverridden: true)
            } catch {
                throw PolicyRuleError(rule: name, reason: error.description)
            }
        }
        self.init(byName: byName, names: names)
        for name in names where byName[name]?.isOverridden == true {
            if let reason = endlessness(of: name) { throw PolicyRuleError(rule: name, reason: reason) }
            warn(of: name)
        }
    }

    public subscript(name: String) -> Rule? { byName[name] }

    /// The rule that decides where the name is asked for.
    func resolved(_ name: String) -> PolicyCheck { byName[name]?.check ?? byName[Self.fallbackName]?.check ?? .never }

    /// Why following the rule's parts comes to no end, or to none soon; nil when it does.
    private func endlessness(of name: String) -> String? {
        var path: [String] = []
        func follow(_ name: String) -> String? {
            let isCycle = path.contains(name)
            path.append(name)
            if isCycle { return "it leads back to itself: \(path.joined(separator: ", "))" }
            guard path.count <= Self.maximumDepth else {
                return "it leads through more than \(Self.maximumDepth) rules: \(path.joined(separator: ", "))"
            }
            for next in byName[name]?.check.neededRules ?? [] {
                if let reason = follow(next) { return reason }
            }
            path.removeLast()
            return nil
        }
        return follow(name)
    }

    private mutating func warn(of name: String) {
        guard let rule = byName[name] else { return }
        for missing in rule.check.ruleNames where byName[missing] == nil {
            warnings.append("The rule '\(name)' asks for 'rule:\(missing)', which does not exist: 'default' decides instead.")
        }
        if let reason = Self.idleness(of: name) { warnings.append("The rule '\(name)' hides nothing: \(reason).") }
        for text in rule.check.unknownChecks {
            warnings.append("The rule '\(name)' has '\(text)', which nothing here can decide: it never passes.")
        }
    }
}

extension PolicyCheck {
    private var parts: [PolicyCheck] {
        switch self {
        case .not(let check): [check]
        case .all(let checks), .any(let checks): checks
        default: []
        }
    }

    /// The rules that it names itself.
    public var ruleNames: [String] {
        if case .rule(let name) = self { return [name] }
        return parts.flatMap(\.ruleNames)
    }

    var unknownChecks: [String] {
        if case .unknown(let text) = self { return [text] }
        return parts.flatMap(\.unknownChecks)
    }
}
