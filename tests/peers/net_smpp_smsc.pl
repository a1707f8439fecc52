#!/usr/bin/perl
# An SMSC on Net::SMPP (Debian: libnet-smpp-perl). User "me", password "secret", any kind of bind.
# It prints its port when it listens, and then every PDU that it hears, as a line of JSON. Every submit gets the
# same id, 123456789, and no receipt; the text "MO" is answered by a long message from the phone. Options are
# arguments, name=value; N counts the submits of a connection, from 1.
use strict;
use warnings;

use IO::Handle;
use JSON::PP;
use Net::SMPP;

my %options = (
    throttle     => 0,    # every Nth submit
    queue_full   => 0,    # every Nth
    nack         => 0,    # every Nth gets a generic_nack
    silent       => 0,    # every Nth gets no answer
    drop_after   => 0,    # the Nth ends the connection without an answer
    unbind_after => 0,    # after the Nth the SMSC says goodbye
    enquire_link => '',   # yes: the SMSC asks after each submit
);
for (@ARGV) {
    my ($name, $value) = split /=/, $_, 2;
    exists $options{$name} or die "no option $name\n";
    $options{$name} = $value;
}

my ($ROK, $INVALID_COMMAND, $INVALID_PASSWORD, $INVALID_NUMBER, $QUEUE_FULL, $THROTTLED) =
    (0x00, 0x03, 0x0E, 0x0B, 0x14, 0x58);
my %NUMBERS = (    # TLVs, and how their octets make a number
    sar_msg_ref_num    => 'n',
    sar_total_segments => 'C',
    sar_segment_seqnum => 'C',
    dest_addr_subunit  => 'C',
);
my $json = JSON::PP->new->canonical->ascii;
my $submits = 0;

# ---- what is heard

sub tell_of {
    my ($pdu) = @_;
    my %told = (command => $pdu->explain_cmd, sequence => $pdu->seq, status => $pdu->status, tlvs => {});
    for my $name (grep { !/^(data|cmd|seq|status|reserved|known_pdu|short_message|message_payload|\d+)$/ } keys %$pdu) {
        my $as = $NUMBERS{$name};
        if ($as) { $told{tlvs}{$name} = unpack $as, $pdu->{$name} }
        else     { $told{$name} = $pdu->{$name} }
    }
    for my $name (qw(source_addr_ton source_addr_npi dest_addr_ton dest_addr_npi esm_class data_coding
        registered_delivery)) {
        $told{$name} += 0 if defined $told{$name};    # a number in JSON, too
    }
    $told{octets} = unpack 'H*', octets($pdu);
    print $json->encode(\%told), "\n";
}

sub octets {
    my ($pdu) = @_;
    my $message = $pdu->{short_message} // '';
    return length $message ? $message : $pdu->{message_payload} // '';
}

# ---- what is said

sub answer {
    my ($session, $pdu) = @_;
    my @to = (seq => $pdu->seq);
    my %answers = (
        enquire_link => sub { $session->enquire_link_resp(@to) },
        unbind       => sub { $session->unbind_resp(@to); exit },
        unbind_resp  => sub { exit },
        submit_sm    => sub { answer_submit($session, $pdu, @to) },
        map { my $bind = "bind_$_"; $bind => sub { answer_bind($session, $pdu, "${bind}_resp", @to) } }
            qw(transceiver transmitter receiver),
    );
    my $say = $answers{ $pdu->explain_cmd };
    $say->() if $say;
}

sub answer_bind {
    my ($session, $pdu, $answer, @to) = @_;
    my $known = $pdu->{system_id} eq 'me' && $pdu->{password} eq 'secret';
    $session->$answer(@to, system_id => 'perl', status => $known ? $ROK : $INVALID_PASSWORD);
}

sub answer_submit {
    my ($session, $pdu, @to) = @_;
    $submits++;
    exit if $submits == $options{drop_after};
    return if is_nth('silent');
    return $session->generic_nack(@to, status => $INVALID_COMMAND) if is_nth('nack');
    $session->submit_sm_resp(@to, message_id => '123456789', status => fault($pdu));
    reply($session, $pdu) if octets($pdu) eq 'MO';
    $session->enquire_link(async => 1) if $options{enquire_link};
    $session->unbind(async => 1) if $submits == $options{unbind_after};
}

sub fault {
    my ($pdu) = @_;
    return $THROTTLED  if is_nth('throttle');
    return $QUEUE_FULL if is_nth('queue_full');
    return $pdu->{destination_addr} =~ /0$/ ? $INVALID_NUMBER : $ROK;
}

sub is_nth {
    my ($option) = @_;
    return $options{$option} && $submits % $options{$option} == 0;
}

# A message from the phone in two parts, in UCS-2.
sub reply {
    my ($session, $pdu) = @_;
    my $number = 0;
    for my $octets (map { pack 'H*', $_ } '041f04400438043204560442002c0020', '04410432045604420435') {    # Привіт, світе
        $session->deliver_sm(
            async            => 1,
            source_addr_ton  => 1,
            source_addr_npi  => 1,
            source_addr      => $pdu->{destination_addr},
            destination_addr => $pdu->{source_addr},
            esm_class        => 0x40,
            data_coding      => 8,
            short_message    => pack('C6', 5, 0, 3, 0x17, 2, ++$number) . $octets,
        );
    }
}

# ---- connections

sub serve {
    my ($session) = @_;
    while (my $pdu = $session->read_pdu) {
        tell_of($pdu);
        answer($session, $pdu);
    }
}

STDOUT->autoflush(1);
$SIG{CHLD} = 'IGNORE';
$SIG{__WARN__} = sub { };    # the library's own, of connections that end and TLVs that it does not know
my $listening = Net::SMPP->new_listen('127.0.0.1', port => 0, timeout => undef) or die "cannot listen: $!\n";
print $listening->sockport, "\n";
while (1) {
    my $session = $listening->accept or next;
    defined(my $child = fork) or die "cannot fork: $!\n";
    if (!$child) { serve($session); exit }
    $session->close;
}
