import KernelInterface

/// Writes tables as scripts for nft (1.0.6 and later). A script is one transaction: the kernel does all of it or nothing.
enum FirewallScript {
    /// Elements on one line: lines stay readable, and far from any limit of nft's scanner.
    static let elementsPerLine = 8

    /// Replaces the tables as a whole. `add` before `delete` makes the deletion succeed where there is no such table yet.
    static func replacement(of tables: [FirewallTable]) -> String {
        var script = ""
        for table in tables {
            script += "add table \(table.identity)\ndelete table \(table.identity)\n"
        }
        for table in tables { script += definition(of: table) }
        return script
    }

    /// Fills a table that is there with what is wanted, whatever it holds, without an instant in which packets meet anything else. Nil when only a
    /// replacement does it. The kernel refuses it when a hook or the declaration of a set is another (nf_tables_updchain and nft_set_is_same in
    /// net/netfilter/nf_tables_api.c, the latter since Linux 6.2 and the stable kernels of that time).
    ///
    /// In the transaction that replaces a table, the chains of the old one still see packets until the kernel has come to their hooks, with all their
    /// rules but with empty verdict maps, so that whatever passes by a map is dropped: for 0.3 ms with a few ports. Rules and elements of a table that
    /// stays are the old ones or the new ones. Its counters go on counting, too.
    ///
    /// A table of the family netdev is replaced: to its hooks other devices would be added.
    static func refill(of table: FirewallTable, holding contents: FirewallContents) -> String? {
        if table.family == .netdev { return nil }
        for (name, hasHook) in contents.chains {
            guard let chain = table.chains[name] else { continue }
            if hasHook != (chain.hook != nil) { return nil }
        }
        for (name, kind) in contents.objects {
            if kind == FirewallContents.otherKind { return nil }
            // One that is there keeps what it was made with.
            if let object = table.objects[name], object.kind != kind || kind != "counter" { return nil }
        }
        var script = "flush table \(table.identity)\n"
        let sets = contents.sets.sorted { $0.key < $1.key }
        for (name, form) in sets {
            let verb = table.sets[name].map(costsMoreToFill) == true ? "delete" : "flush"
            script += "\(verb) \(form.rawValue) \(table.identity) \(name)\n"
        }
        script += contents.chains.keys.filter { table.chains[$0] == nil }.sorted().map { "delete chain \(table.identity) \($0)\n" }.joined()
        for (name, form) in sets where table.sets[name] == nil { script += "delete \(form.rawValue) \(table.identity) \(name)\n" }
        for (name, kind) in contents.objects.sorted(by: { $0.key < $1.key }) where table.objects[name] == nil {
            script += "delete \(kind) \(table.identity) \(name)\n"
        }
        return script + definition(of: table)
    }

    /// Concatenations with intervals take the kernel 0.4 s for 1,000 elements that take the place of others, and 3 s for 4,000, against 0.03 and
    /// 0.1 s in a set that is made anew (net/netfilter/nft_set_pipapo.c). But such a set is empty until the end of the transaction: for as long
    /// as that takes, what only it lets pass does not.
    private static func costsMoreToFill(_ set: FirewallTable.ElementSet) -> Bool {
        set.form == .set && set.flags.contains("interval") && set.elements.count > maximumRefilledIntervals
    }

    static let maximumRefilledIntervals = 256

    /// Deletes tables named as "family name".
    static func deletion(of identities: [String]) -> String {
        identities.map { "delete table \($0)\n" }.joined()
    }

    /// The commands that turn `old` into `new`, as one transaction; empty when nothing differs. Nil when only a replacement does it: a base chain's
    /// hook, a named object or the declaration of a set is another.
    ///
    ///     elements that go     first, so that a key can get another value, and what their verdicts name can go
    ///     chains that change   emptied
    ///     a block              new sets and chains, and the rules of chains that change
    ///     elements that come
    ///     chains, sets that go
    static func changes(from old: FirewallTable, to new: FirewallTable) -> String? {
        guard old.objects == new.objects, let elements = elementChanges(from: old, to: new), let chains = ChainChanges(from: old, to: new)
        else { return nil }
        var block = FirewallTable(family: new.family, name: new.name)
        block.sets = new.sets.filter { old.sets[$0.key] == nil }
        for name in chains.changed { block.chains[name] = FirewallTable.Chain(rules: new.chains[name]?.rules ?? []) }
        for name in chains.added { block.chains[name] = new.chains[name] }
        let goingSets = old.sets.filter { new.sets[$0.key] == nil }.sorted { $0.key < $1.key }
        var script = elements.deletions
        script += chains.changed.map { "flush chain \(new.identity) \($0)\n" }.joined()
        if !block.sets.isEmpty || !block.chains.isEmpty { script += definition(of: block) }
        script += elements.additions
        // One may jump to another.
        script += chains.removed.map { "flush chain \(new.identity) \($0)\n" }.joined()
        script += chains.removed.map { "delete chain \(new.identity) \($0)\n" }.joined()
        script += goingSets.map { "delete \($0.value.form.rawValue) \(new.identity) \($0.key)\n" }.joined()
        return script
    }

    /// Of sets that both tables have; nil when one is declared otherwise.
    private static func elementChanges(from old: FirewallTable, to new: FirewallTable) -> (deletions: String, additions: String)? {
        var deletions = ""
        var additions = ""
        for (name, set) in new.sets.sorted(by: { $0.key < $1.key }) {
            guard let before = old.sets[name] else { continue }
            guard before.form == set.form, before.type == set.type, before.flags == set.flags else { return nil }
            if before.elements == set.elements { continue }
            let removed = before.elements.subtracting(set.elements).map { key(of: $0, set.form) }
            let added = set.elements.subtracting(before.elements)
            deletions += command("delete", new, name, removed.sorted())
            additions += command("add", new, name, added.sorted())
        }
        return (deletions, additions)
    }

    /// Names of chains, sorted.
    private struct ChainChanges {
        var added: [String]
        var changed: [String]
        var removed: [String]

        /// Nil when a base chain comes, goes or gets another hook.
        init?(from old: FirewallTable, to new: FirewallTable) {
            (added, changed, removed) = ([], [], [])
            if old.chains == new.chains { return }
            for (name, chain) in new.chains {
                guard let before = old.chains[name] else {
                    if chain.hook != nil { return nil }
                    added.append(name)
                    continue
                }
                guard before.hook == chain.hook else { return nil }
                if before.rules != chain.rules { changed.append(name) }
            }
            for (name, chain) in old.chains where new.chains[name] == nil {
                if chain.hook != nil { return nil }
                removed.append(name)
            }
            added.sort()
            changed.sort()
            removed.sort()
        }
    }

    private static func command(_ verb: String, _ table: FirewallTable, _ set: String, _ elements: [String]) -> String {
        if elements.isEmpty { return "" }
        return "\(verb) element \(table.identity) \(set) {\n\(lines(elements, indent: "\t"))}\n"
    }

    /// A map's element is deleted by its key; `key : value` is written with spaces, which no address has.
    private static func key(of element: String, _ form: FirewallTable.ElementSet.Form) -> String {
        guard form == .map, let separator = separator(in: element) else { return element }
        return String(element[..<separator])
    }

    private static func separator(in element: String) -> String.Index? {
        var index = element.startIndex
        while let colon = element[index...].firstIndex(of: ":") {
            let after = element.index(after: colon)
            if colon > element.startIndex, element[element.index(before: colon)] == " ", after < element.endIndex, element[after] == " " {
                return element.index(before: colon)
            }
            index = after
        }
        return nil
    }

    private static func definition(of table: FirewallTable) -> String {
        var text = "table \(table.identity) {\n"
        for (name, object) in table.objects.sorted(by: { $0.key < $1.key }) {
            text += "\t\(object.kind) \(name) {\n" + object.lines.map { "\t\t\($0)\n" }.joined() + "\t}\n"
        }
        for (name, set) in table.sets.sorted(by: { $0.key < $1.key }) {
            text += "\t\(set.form.rawValue) \(name) {\n\t\t\(set.type)\n"
            if !set.flags.isEmpty { text += "\t\tflags \(set.flags.joined(separator: ", "))\n" }
            if !set.elements.isEmpty { text += "\t\telements = {\n\(lines(set.elements.sorted(), indent: "\t\t\t"))\t\t}\n" }
            text += "\t}\n"
        }
        for (name, chain) in table.chains.sorted(by: { $0.key < $1.key }) {
            text += "\tchain \(name) {\n"
            if let hook = chain.hook { text += "\t\t\(hook)\n" }
            for rule in chain.rules { text += "\t\t\(rule)\n" }
            text += "\t}\n"
        }
        return text + "}\n"
    }

    private static func lines(_ elements: [String], indent: String) -> String {
        var text = ""
        for start in stride(from: 0, to: elements.count, by: elementsPerLine) {
            let end = min(start + elementsPerLine, elements.count)
            text += indent + elements[start..<end].joined(separator: ", ") + (end < elements.count ? ",\n" : "\n")
        }
        return text
    }
}
