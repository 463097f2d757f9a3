// The known word that a misspelt one was meant to be.

/// Finds the nearest of several words.
public enum NearestWord {
    /// The nearest of `words`, case aside, that a third of the letters at most tell from `word`; the first of equally near ones, nil where none is
    /// so near. O(letters² × words).
    public static func nearest(to word: String, among words: [String]) -> String? {
        let letters = Array(word.lowercased().utf8)
        var best: (word: String, distance: Int)?
        for candidate in words {
            let distance = distance(letters, Array(candidate.lowercased().utf8))
            if distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        guard let best, best.distance * 3 <= letters.count else { return nil }
        return best.word
    }

    /// Letters to insert, remove or replace (Levenshtein).
    private static func distance(_ first: [UInt8], _ second: [UInt8]) -> Int {
        var row = Array(0...second.count)
        for (i, letter) in first.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in second.enumerated() {
                let above = row[j + 1]
                row[j + 1] = min(above + 1, row[j] + 1, diagonal + (letter == other ? 0 : 1))
                diagonal = above
            }
        }
        return row[second.count]
    }
}
