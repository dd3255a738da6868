/// Neutron's default rules, as texts: a line for each, `NAME = CHECK`.
enum DefaultPolicies {
    /// The lines in the order in which they are documented, and whether the rule is one of an operation or attribute, which needs a project's
    /// token, or only a part of such rules.
    static func lines() -> [(name: String, text: String, isOperation: Bool)] {
        [(shared, false), (networks, true), (ports, true), (routers, true), (services, true), (further, true)].flatMap {
            block, isOperation in
            block.split(separator: "\n").map { line in
                guard let equals = line.firstIndex(of: "=") else { preconditionFailure("the default rule '\(line)' has a name") }
                let name = line[..<equals].filter { $0 != " " }
                return (String(name), String(line[line.index(after: equals)...].drop { $0 == " " }), isOperation)
            }
        }
    }
}
