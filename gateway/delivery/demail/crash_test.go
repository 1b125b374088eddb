package demail_test

func child() bool { return false }
