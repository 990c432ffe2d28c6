package blocks

import (
	"math"
	"time"
)

// The days and seconds between which ClickHouse writes dates: 0000-01-01 and
// 9999-12-31. What is outside is written as the nearest of them.
const (
	firstDay    = -719528
	lastDay     = 2932896
	firstSecond = firstDay * secondsOfDay
	lastSecond  = (lastDay+1)*secondsOfDay - 1

	secondsOfDay = 24 * 60 * 60
)

// showDate writes a Date or a Date32.
func showDate(b, v []byte, _ style) []byte {
	day := int64(unsignedValue(v))
	if len(v) == 4 {
		day = signedValue(v)
	}
	return appendDate(b, time.Unix(min(max(day, firstDay), lastDay)*secondsOfDay, 0).UTC())
}

func appendDate(b []byte, t time.Time) []byte {
	year, month, day := t.Date()
	b = append(appendPadded(b, uint64(year), 4), '-')
	b = append(appendPadded(b, uint64(month), 2), '-')
	return appendPadded(b, uint64(day), 2)
}

// dateTime returns how moments of a precision are written in a zone: a DateTime has
// no digits behind the seconds.
func dateTime(digits int, zone *time.Location) show {
	unit := power(digits)
	return func(b, v []byte, _ style) []byte {
		whole, rest := int64(unsignedValue(v)), int64(0)
		if len(v) == 8 {
			whole, rest = floor(signedValue(v), unit)
		}
		b = appendMoment(b, whole, zone)
		return appendFraction(b, rest, digits)
	}
}

// appendMoment writes the second of a date and a time. The year on the clock of the
// zone decides what is outside.
func appendMoment(b []byte, second int64, zone *time.Location) []byte {
	t := time.Unix(min(max(second, firstSecond-2*secondsOfDay), lastSecond+2*secondsOfDay), 0).In(zone)
	switch {
	case t.Year() < 0:
		t = time.Unix(firstSecond, 0).UTC()
	case t.Year() > 9999:
		t = time.Unix(lastSecond, 0).UTC()
	}
	b = append(appendDate(b, t), ' ')
	hour, minute, seconds := t.Clock()
	return appendClock(b, uint64(hour), uint64(minute), uint64(seconds))
}

func appendClock(b []byte, hour, minute, second uint64) []byte {
	b = append(appendPadded(b, hour, 2), ':')
	b = append(appendPadded(b, minute, 2), ':')
	return appendPadded(b, second, 2)
}

func appendFraction(b []byte, rest int64, digits int) []byte {
	if digits == 0 {
		return b
	}
	return appendPadded(append(b, '.'), uint64(rest), digits)
}

// maxClock is the longest Time: 999:59:59, in seconds.
const maxClock = 1000*60*60 - 1

// clock returns how the times of a precision are written that have no date. A time
// below zero has its sign before it.
func clock(digits int) show {
	unit := power(digits)
	return func(b, v []byte, _ style) []byte {
		value := signedValue(v)
		size := uint64(value)
		if value < 0 {
			b, size = append(b, '-'), -uint64(value)
		}
		second := min(size/uint64(unit), maxClock)
		b = appendClock(b, second/3600, second/60%60, second%60)
		return appendFraction(b, int64(size%uint64(unit)), digits)
	}
}

// power returns ten to the power of digits, which are nine at most.
func power(digits int) int64 { return int64(math.Pow10(digits)) }

// floor divides so that the rest is never below zero.
func floor(n, by int64) (whole, rest int64) {
	whole, rest = n/by, n%by
	if rest < 0 {
		whole, rest = whole-1, rest+by
	}
	return whole, rest
}
