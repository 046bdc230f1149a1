package pulse

// ValueKind is the JSON type of a Value.
type ValueKind uint8

// The JSON types. The zero Value is null.
const (
	Null ValueKind = iota
	Bool
	Number
	String
	List
	Object
)

// Value is a JSON value of any type. Forecasts stay in this form because the
// old scoring's semantics depend on the types that were sent, also the wrong
// ones (scoring semantics, section 3).
//
// Values are immutable by convention: nobody changes the slices of one.
type Value struct {
	Kind   ValueKind
	Bool   bool
	Number float64
	// String is the text of a String, and the digits of a Number that was
	// written without fraction and exponent: the old system printed 2 and
	// 2.0 differently. It has no part in comparing numbers.
	String  string
	List    []Value
	Members []Member
}

// Member is one name and value of an object. Names are unique within an
// object: the last of repeated names wins, at the place of the first.
type Member struct {
	Name  string
	Value Value
}

// Get returns the member called name of an object. ok is false when there is
// none, or when v is not an object.
func (v Value) Get(name string) (member Value, ok bool) {
	for i := range v.Members {
		if v.Members[i].Name == name {
			return v.Members[i].Value, true
		}
	}
	return Value{}, false
}

// NumberValue returns n as a Value.
func NumberValue(n float64) Value { return Value{Kind: Number, Number: n} }

// StringValue returns s as a Value.
func StringValue(s string) Value { return Value{Kind: String, String: s} }

// ListValue returns a list of vs; it keeps vs.
func ListValue(vs []Value) Value { return Value{Kind: List, List: vs} }

// ObjectValue returns an object of ms; it keeps ms.
func ObjectValue(ms ...Member) Value { return Value{Kind: Object, Members: ms} }
