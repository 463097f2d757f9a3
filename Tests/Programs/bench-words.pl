# Perl strings and hashes: words counted, sorted and joined. usage: bench-words.pl ROUNDS
use strict;
use warnings;

my $rounds = shift // 10;
my $total  = 0;
for my $round (1 .. $rounds) {
    my %count;
    for my $i (0 .. 40000) {
        my $word = "word number " . ($i * 7919 * $round % 10007);
        $count{$word}{ $i % 3 }++;
    }
    my @sorted = sort keys %count;
    $total += length join ",", @sorted;
}
print "$total\n";
